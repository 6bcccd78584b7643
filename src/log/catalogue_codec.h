#pragma once

#include "base/result.h"
#include "log/catalogue.h"
#include "store/store.h"

namespace miroir {

// The catalogue as rows: kIndex (uid → state), kKey (uid → key), and in kMeta when each index was
// last changed, which every write moves.
class CatalogueCodec {
 public:
  // Applies the entry, and says which rows that changes.
  static Batch apply(Catalogue& catalogue, const Entry& entry);
  static Async<Result<Catalogue>> load(Store& store);

 private:
  static Result<void> read_index(Catalogue& catalogue, std::string_view row);
};

}  // namespace miroir
