#include "node_api/exact_copies.h"

#include <algorithm>

#include "node_api/document_filter.h"

namespace miroir {
namespace {

// What a node compares of an id, as far as no stamp tells copies apart: ids are ASCII, so that
// normalising is lower case, and of long ones the beginning counts.
std::string compared(std::string_view id) {
  std::string text(id.substr(0, kExactIdBytesMax));
  std::ranges::transform(text, text.begin(), [](unsigned char c) {
    return static_cast<char>(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
  });
  return text;
}

// A page is a snapshot: only a limit above its size reads all.
Async<Result<DocumentPage>> read_all(NodeClient& client, DocumentQuery query, Instant deadline) {
  constexpr int kAttemptsMax = 4;
  for (int attempt = 0; attempt < kAttemptsMax; ++attempt) {
    MIROIR_CO_TRY(DocumentPage page, co_await client.documents(query, deadline));
    if (page.documents.size() >= page.total) co_return page;
    query.limit = page.total * 2;
  }
  co_return fail(ErrorCode::kCorrupt, "answered fewer documents than it says match");
}

}  // namespace

Async<Result<std::set<std::string>>> inseparable_copies(NodeClient& client, DeleteExactCopies write,
                                                        FieldNames names, Instant deadline) {
  std::set<std::string> inseparable;
  if (write.copies.empty()) co_return inseparable;
  DocumentQuery query;
  query.index_uid = write.index_uid;
  query.filter = exact_copies_filter(write, names);
  query.fields = {write.primary_key, std::string(kSlotField), names.updated_at};
  query.limit = write.copies.size() + 1;
  MIROIR_CO_TRY(const DocumentPage page, co_await read_all(client, std::move(query), deadline));

  std::set<std::string> asked;
  for (const DeleteExactCopies::Copy& copy : write.copies) asked.insert(copy.id);
  for (const std::string& text : page.documents) {
    MIROIR_CO_TRY(const DocumentCopy found, parse_copy(text, write.primary_key, names));
    if (asked.contains(found.id)) continue;
    for (const DeleteExactCopies::Copy& copy : write.copies) {
      const Slot slot = slot_of(copy.id);
      const bool same_version = copy.stamp ? (found.stored.slot == slot) == (copy.slot == slot)
                                           : compared(found.id) == compared(copy.id);
      if (same_version && found.stored.stamp == copy.stamp) inseparable.insert(copy.id);
    }
  }
  co_return inseparable;
}

}  // namespace miroir
