#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "base/async.h"
#include "base/clock.h"
#include "base/result.h"

namespace miroir::node {

struct NodeOptions {
  std::string data_dir;
  std::string bind = "127.0.0.1";
  std::uint16_t port = 0;  // 0 takes a free one
  std::string master_key;  // empty: no key is asked for
  bool faults = false;     // serve GET and POST /_node/faults (kFaultsHelp)
};

// For `miroir node --help`.
inline constexpr const char* kFaultsHelp =
    R"(--faults lets tests make the node misbehave, through POST /_node/faults with any of
  {"failTasks": N}       the next N tasks that add documents fail
  {"delayMs": N}         every answer is N milliseconds late
  {"dropAnswers": N}     the next N requests are carried out, and their connection closed without an answer
  {"cutConnections": N}  the next N requests are not carried out, and their connection closed
  {"diskFull": true}     nothing more is written: 422 no_space_left_on_device, and tasks wait
)";

// The embedded search node: a small server on SQLite that speaks Meilisearch's API well enough to
// stand in for it in demos, development and tests. Requests come in on the caller's io_context, are
// carried out on a few threads of the node's own, and tasks by one more (engine.h). What was
// answered with 202 survives kill -9.
class Node {
 public:
  // Opens the data and listens; serves from run() on.
  static Result<std::unique_ptr<Node>> open(Executor executor, Clock& clock, NodeOptions options);
  ~Node();  // waits for the batch at hand
  std::uint16_t port() const;
  std::string url() const;
  Async<void> run();
  // Lets running requests end within `grace`.
  Async<void> stop(Milliseconds grace);

 private:
  struct State;
  explicit Node(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace miroir::node
