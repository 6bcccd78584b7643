#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/json.h"
#include "node_api/node_client.h"

namespace miroir {

// Our questions in Meilisearch's filter grammar. Pure.

// A field name or value in double quotes, whatever its characters.
std::string filter_quoted(std::string_view text);

// Documents whose slot is in the range, up to where the next slot begins: a text between two slots
// belongs to the lower one, so that ranges that tile the slots leave nothing out but what
// `unmarked` asks for.
std::string slot_condition(const SlotRange& range);

// Documents without a stamp: a value that is no text, or lies outside of all that Miroir writes, is
// as good as none.
std::string without_stamp_condition(const FieldNames& names);

// The filter of a query without its ids; nullopt where every document matches.
std::optional<Json> document_filter(const DocumentQuery& query);

// Facet values are cut at 468 bytes; ids longer than this are matched by their beginning.
inline constexpr std::size_t kExactIdBytesMax = 460;

// Matches exactly these copies, as far as a filter can: equality on an id is loose, and blind
// beyond 468 bytes (FACTS.md), so slot and stamp stand beside it, and of long ids only their
// beginning. The inner array is an OR: a node judges that much faster than one long expression.
Json exact_copies_filter(const DeleteExactCopies& write, const FieldNames& names);

}  // namespace miroir
