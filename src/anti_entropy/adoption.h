#pragma once

#include <set>
#include <string>
#include <vector>

#include "anti_entropy/repair.h"

namespace miroir::anti_entropy {

// Documents that were written behind Miroir's back and become versions like those of clients
// (`foreign_documents: adopt`): one write for all owners, with stored fields of its own.

// The copy as a client would have written it: what is stored beside it goes, and its expiry, if
// documents may have one, is as clients write it. kInvalid: nothing that Miroir would take.
Result<std::string> text_to_adopt(const Copy& copy, const FieldNames& names, bool embedders);

std::vector<Handled> leave_unadoptable(const Tools& tools, const IndexUnderTest& index,
                                       Settled& settled);
Result<std::vector<BodyRecord>> adopted_records(const std::vector<Judged>& documents,
                                                const FieldNames& names, bool embedders);

// Whether every owner now holds the winner's content as a whole write of one of these stamps.
bool is_adopted(const Judged& before, const Judged& after, const std::set<Stamp>& stamps);

}  // namespace miroir::anti_entropy
