#include "log/lease.h"

#include <algorithm>
#include <utility>

#include "base/json.h"
#include "base/logging.h"

namespace miroir {
namespace {

// Between two attempts while the store fails: it has to answer again before the lease ends.
constexpr Microseconds kRetryInterval = Milliseconds(500);

struct LeaseRow {
  std::string holder;
  std::uint64_t token = 0;
  std::int64_t expires = 0;  // microseconds since the UNIX epoch; 0: released
};

std::string encode_row(const LeaseRow& row) {
  return to_text(
      Json::object({{"holder", row.holder}, {"token", row.token}, {"expires", row.expires}}));
}

Result<LeaseRow> decode_row(std::string_view text) {
  MIROIR_TRY(const Json json, parse_json(text));
  const Json* holder = json.find("holder");
  const Json* token = json.find("token");
  const Json* expires = json.find("expires");
  if (holder == nullptr || !holder->is_string() || token == nullptr || !token->is_int64() ||
      expires == nullptr || !expires->is_int64()) {
    return fail(ErrorCode::kCorrupt, "a lease's row is malformed");
  }
  return LeaseRow{holder->as_string(), token->as_uint64(), expires->as_int64()};
}

}  // namespace

Lease::Lease(Store& store, Clock& clock, std::string name, std::string holder, LeaseOptions options)
    : store_(store),
      clock_(clock),
      name_(std::move(name)),
      holder_(std::move(holder)),
      options_(options) {}

bool Lease::held() const { return clock_.now() < held_until_; }

Async<Result<bool>> Lease::acquire() {
  const Instant began = clock_.now();
  const std::int64_t now = clock_.wall_now().time_since_epoch().count();
  MIROIR_CO_TRY(const auto before, co_await store_.get(Table::kLease, name_));
  LeaseRow row;
  if (before) {
    MIROIR_CO_TRY(row, decode_row(*before));
  }
  if (row.holder != holder_) {
    if (row.expires > now && !store_.exclusive()) co_return false;
    row.holder = holder_;
    ++row.token;
  }
  row.expires = now + options_.ttl.count();
  Batch batch;
  batch.expect(Table::kLease, name_, before).put(Table::kLease, name_, encode_row(row));
  auto committed = co_await store_.commit(std::move(batch));
  if (!committed && committed.error().code == ErrorCode::kConflict) co_return false;
  MIROIR_CO_CHECK(committed);
  token_ = row.token;
  held_until_ = began + options_.ttl;
  co_return true;
}

Async<Result<void>> Lease::release() {
  if (!held()) co_return Result<void>();
  held_until_ = {};
  MIROIR_CO_TRY(const auto before, co_await store_.get(Table::kLease, name_));
  if (!before) co_return Result<void>();
  MIROIR_CO_TRY(LeaseRow row, decode_row(*before));
  if (row.holder != holder_ || row.token != token_) co_return Result<void>();
  row.expires = 0;
  Batch batch;
  batch.expect(Table::kLease, name_, before).put(Table::kLease, name_, encode_row(row));
  auto committed = co_await store_.commit(std::move(batch));
  if (!committed && committed.error().code == ErrorCode::kConflict) co_return Result<void>();
  co_return committed;
}

Async<void> Lease::run() {
  while (true) {
    const auto acquired = co_await acquire();
    if (!acquired) {
      log_warning("lease not renewed", {{"lease", name_}, {"error", acquired.error().message}});
    }
    co_await clock_.sleep_for(acquired ? options_.renew_interval
                                       : std::min(kRetryInterval, options_.renew_interval));
  }
}

}  // namespace miroir
