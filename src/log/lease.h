#pragma once

#include <cstdint>
#include <string>

#include "base/async.h"
#include "base/clock.h"
#include "base/result.h"
#include "store/store.h"

namespace miroir {

struct LeaseOptions {
  Microseconds ttl = Seconds(10);
  Microseconds renew_interval = Seconds(3);
};

// One holder at a time of a name, for as long as it renews: a row of kLease with the holder, a
// fencing token that rises with every change of holder, and the expiry. In a store that only this
// process can have open, another holder is a process that died: its lease is taken at once.
class Lease {
 public:
  // `holder` names this process run: a process that is started again is another holder.
  Lease(Store& store, Clock& clock, std::string name, std::string holder,
        LeaseOptions options = {});

  // Takes or renews it. False: somebody else holds it.
  Async<Result<bool>> acquire();
  // Lets go of it, so that another need not wait for the expiry.
  Async<Result<void>> release();
  // Keeps trying to take it, then renewing it, until cancelled.
  Async<void> run();

  // By our own clock, since the last renewal began.
  bool held() const;
  std::uint64_t token() const { return token_; }

 private:
  Store& store_;
  Clock& clock_;
  const std::string name_;
  const std::string holder_;
  const LeaseOptions options_;
  Instant held_until_{};
  std::uint64_t token_ = 0;
};

}  // namespace miroir
