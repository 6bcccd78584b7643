#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "cdc/options.h"
#include "log/entry.h"

namespace miroir::cdc {

// What the stream makes of an entry. Pure.

enum class Verdict {
  kNothing,     // no change of an index or its documents, or one that never happened
  kSuppressed,  // Miroir's own doing, which nobody asked to see
  kEvents,
};
Verdict judge(const Entry& entry, const CdcOptions& options);

// Whether each record of the entry's body is an event; otherwise the entry is one.
bool is_of_documents(const Entry& entry);
std::uint64_t event_count(const Entry& entry);

// Whether the entry changes the index of that name, or gives the name to another. Empty: any.
bool touches(const Entry& entry, const std::string& index_uid);

// Appends an event as JSON: {"cursor", "position", "stamp", "origin", "index", "kind", …} with "id"
// and (`body`, writes only) "body" for documents, "details" for what indexes are made of. `record`:
// nullptr where the entry is one event.
void append_event(std::string& out, const Entry& entry, std::uint64_t number,
                  const BodyRecord* record, bool body);

}  // namespace miroir::cdc
