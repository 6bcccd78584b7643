#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "node/index.h"

namespace miroir::node {

// Which members of documents an answer shows. A name with dots reaches into objects and arrays of
// objects; a name shows everything below it; "*" shows all.
class FieldSelection {
 public:
  FieldSelection() = default;  // everything
  explicit FieldSelection(std::vector<std::string> names);
  bool all() const { return !names_; }
  Json select(const Json& document) const;

 private:
  std::optional<std::vector<std::string>> names_;
};

// The text of a stored document as answers show it: the selected members, and `_vectors` only where
// asked for (then complete: {"embeddings": […], "regenerate": false} for each embedder).
std::string shown_document(const std::string& text, const Index& index,
                           const FieldSelection& fields, bool vectors);

}  // namespace miroir::node
