#pragma once

#include <string>

#include "base/random.h"
#include "write/write_context.h"

namespace miroir {

// API keys. Replicated through the log and good for every node, because a key is computed from its
// uid. A change is answered once the nodes that can be reached have it, as Meilisearch's are good
// at once.
class KeyWriter {
 public:
  KeyWriter(WriteContext context, Random& random) : context_(std::move(context)), random_(random) {}

  // The key, as it was made: {uid, name, description, actions, indexes, expiresAt, createdAt,
  // updatedAt}.
  Async<Answer<Json>> create(http::Request request);
  Async<Answer<Json>> update(std::string uid, http::Request request);
  Async<Answer<void>> remove(std::string uid);
  // The keys that a new cluster begins with, once.
  Async<Result<void>> make_default_keys();

 private:
  Async<Answer<void>> append(Log::Judge judge, std::optional<meili::ApiError>& refused);

  WriteContext context_;
  Random& random_;
};

}  // namespace miroir
