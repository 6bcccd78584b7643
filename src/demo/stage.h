#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "demo/api.h"
#include "demo/checker.h"
#include "demo/demo.h"
#include "demo/process.h"

namespace miroir::demo {

inline constexpr const char* kIndex = "packages";
inline constexpr Milliseconds kEqualTimeMax{30'000};

// The processes of the demo, and what it knows of them: two groups of two nodes, and one Miroir
// before them. Everything lives in one temporary directory, on loopback.
class Stage {
 public:
  static Result<std::unique_ptr<Stage>> build(const DemoOptions& options);
  ~Stage();

  struct NodeSeat {
    std::string id;
    int group = 0;
    std::uint16_t port = 0;
    Process process;
    std::unique_ptr<Api> api;
  };
  std::vector<NodeSeat>& nodes() { return nodes_; }
  NodeSeat& node(const std::string& id);
  Api& miroir() { return *miroir_; }
  // Another client of Miroir's, for a thread of its own.
  Api client() const;
  Model& model() { return model_; }

  Result<void> start_node(const std::string& id);
  void kill_node(const std::string& id);
  Result<void> start_miroir();
  void kill_miroir();
  // The node's disk while it is dead.
  Result<void> copy_disk(const std::string& id);
  Result<void> restore_disk(const std::string& id);

  // Waits until every node has done everything in the log and is in sync, kEqualTimeMax at the
  // most.
  Result<void> wait_equal();
  // The value of a metric, summed over its labels.
  Result<double> metric(const std::string& name);
  // What GET /_miroir/anti-entropy/repairs says, newest first.
  Result<std::vector<Json>> repairs();
  Result<Json> run_pass(const std::string& kind);

  std::vector<CheckedNode> checked_nodes();
  // Returns the command that ends it.
  std::string leave_running();
  std::string addresses() const;

 private:
  explicit Stage(DemoOptions options) : options_(std::move(options)) {}
  Result<void> write_config() const;
  std::string disk_of(const std::string& id) const;

  DemoOptions options_;
  std::string directory_;
  std::vector<NodeSeat> nodes_;
  Process miroir_process_;
  std::uint16_t miroir_port_ = 0;
  std::uint16_t metrics_port_ = 0;
  std::unique_ptr<Api> miroir_;
  std::unique_ptr<Api> metrics_;
  Model model_;
  bool kept_ = false;
};

}  // namespace miroir::demo
