#pragma once

#include <map>
#include <string>

#include "base/async.h"
#include "base/result.h"
#include "store/store.h"
#include "ttl/options.h"

namespace miroir::ttl {

// Every index's policy: what was said of it over the admin API, which is durable, before what the
// configuration says of it, before what it says of all. By uid: an index that is made again keeps
// it.
class Policies {
 public:
  Policies(Store& store, TtlOptions options) : store_(store), options_(std::move(options)) {}
  Async<Result<void>> load();

  TtlPolicy of(const std::string& index_uid) const;
  // Takes the place of what was said before. Durable when it returns.
  Async<Result<void>> set(std::string index_uid, TtlOverride change);

 private:
  Store& store_;
  const TtlOptions options_;
  std::map<std::string, TtlOverride> said_;
};

}  // namespace miroir::ttl
