#pragma once

#include <atomic>
#include <cstdint>
#include <expected>

#include "base/json.h"
#include "meili/api_error.h"

namespace miroir::node {

// What the node does wrong on purpose, for tests (`POST /_node/faults`, only with
// NodeOptions::faults). Counters go down with each use. Thread-safe.
struct Faults {
  std::atomic<std::uint64_t> fail_tasks{
      0};  // the next tasks that change documents fail, with `internal`
  std::atomic<std::uint64_t> delay_ms{0};  // every answer is late by that much
  std::atomic<std::uint64_t> drop_answers{
      0};  // the next requests are carried out, then the connection closed
  std::atomic<std::uint64_t> cut_connections{
      0};  // the next requests are not carried out, the connection closed
  std::atomic<bool> disk_full{false};  // nothing more can be enqueued or written

  // Sets what the object names; refuses unknown names.
  std::expected<void, meili::ApiError> set(const Json& body);
  Json to_json() const;
  // Takes one from a counter; false where it is 0.
  static bool take(std::atomic<std::uint64_t>& counter);
};

}  // namespace miroir::node
