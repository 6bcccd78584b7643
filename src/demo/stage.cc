#include "demo/stage.h"

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

namespace miroir::demo {
namespace {

namespace fs = std::filesystem;

constexpr const char* kMasterKey = "demo-master-key-0123456789";
constexpr const char* kNodeMasterKey = "demo-node-master-key-0123456789";

std::string loopback(std::uint16_t port) { return "http://127.0.0.1:" + std::to_string(port); }

std::string text_of(const Json& json, std::string_view name) {
  const Json* value = json.find(name);
  return value != nullptr && value->is_string() ? value->as_string() : "";
}

}  // namespace

Result<std::unique_ptr<Stage>> Stage::build(const DemoOptions& options) {
  std::unique_ptr<Stage> stage(new Stage(options));
  std::string name = (fs::temp_directory_path() / "miroir-demo-XXXXXX").string();
  if (::mkdtemp(name.data()) == nullptr) {
    return fail(ErrorCode::kUnavailable, "cannot make a temporary directory");
  }
  stage->directory_ = name;
  for (const auto& [id, group] : {std::pair{"a1", 0}, {"a2", 0}, {"b1", 1}, {"b2", 1}}) {
    NodeSeat seat;
    seat.id = id;
    seat.group = group;
    MIROIR_TRY(seat.port, free_port());
    seat.api = std::make_unique<Api>(loopback(seat.port), kNodeMasterKey);
    stage->nodes_.push_back(std::move(seat));
  }
  MIROIR_TRY(stage->miroir_port_, free_port());
  MIROIR_TRY(stage->metrics_port_, free_port());
  stage->miroir_ = std::make_unique<Api>(loopback(stage->miroir_port_), kMasterKey);
  stage->metrics_ = std::make_unique<Api>(loopback(stage->metrics_port_), "");
  MIROIR_CHECK(stage->write_config());
  for (const NodeSeat& seat : stage->nodes_) MIROIR_CHECK(stage->start_node(seat.id));
  MIROIR_CHECK(stage->start_miroir());
  return stage;
}

Stage::~Stage() {
  if (kept_ || directory_.empty()) return;
  kill_miroir();
  for (NodeSeat& seat : nodes_) seat.process.kill_hard();
  std::error_code ignored;
  fs::remove_all(directory_, ignored);
}

Result<void> Stage::write_config() const {
  std::ofstream file(directory_ + "/miroir.yaml");
  file << "miroir:\n  shards: 64\n  nodes:\n";
  for (const NodeSeat& seat : nodes_) {
    file << "    - {id: " << seat.id << ", address: \"" << loopback(seat.port)
         << "\", replica_group: " << seat.group << "}\n";
  }
  file << "  health: {interval_ms: 500, timeout_ms: 1000, unhealthy_threshold: 2, "
          "recovery_threshold: 1}\n"
          "  anti_entropy: {light_interval: 5s, schedule: \"every 6h\"}\n"
          "  server: {bind: 127.0.0.1, port: "
       << miroir_port_ << "}\n  metrics: {bind: 127.0.0.1, port: " << metrics_port_ << "}\n";
  if (!file.flush()) return fail(ErrorCode::kUnavailable, "cannot write the configuration");
  return {};
}

Stage::NodeSeat& Stage::node(const std::string& id) {
  for (NodeSeat& seat : nodes_) {
    if (seat.id == id) return seat;
  }
  std::abort();
}

std::string Stage::disk_of(const std::string& id) const { return directory_ + "/" + id; }

Result<void> Stage::start_node(const std::string& id) {
  NodeSeat& seat = node(id);
  std::vector<std::string> arguments;
  const std::string port = std::to_string(seat.port);
  if (options_.meilisearch.empty()) {
    arguments = {own_path(), "node", "--data-dir",   disk_of(id),
                 "--port",   port,   "--master-key", kNodeMasterKey};
  } else {
    arguments = {options_.meilisearch,
                 "--experimental-replication-parameters",
                 "--no-analytics",
                 "--http-addr",
                 "127.0.0.1:" + port,
                 "--master-key",
                 kNodeMasterKey,
                 "--db-path",
                 disk_of(id),
                 "--dump-dir",
                 disk_of(id) + "-dumps",
                 "--snapshot-dir",
                 disk_of(id) + "-snapshots"};
  }
  MIROIR_TRY(seat.process, Process::start(std::move(arguments), disk_of(id) + ".log"));
  return seat.api->wait_ready("/health");
}

void Stage::kill_node(const std::string& id) { node(id).process.kill_hard(); }

Result<void> Stage::start_miroir() {
  MIROIR_TRY(miroir_process_,
             Process::start({own_path(), "serve", "--config", directory_ + "/miroir.yaml",
                             "--data-dir", directory_ + "/miroir", "--master-key", kMasterKey,
                             "--node-master-key", kNodeMasterKey},
                            directory_ + "/miroir.log"));
  MIROIR_CHECK(miroir_->wait_ready("/health"));
  return miroir_->wait_ready("/_miroir/ready");
}

void Stage::kill_miroir() { miroir_process_.kill_hard(); }

Result<void> Stage::copy_disk(const std::string& id) {
  std::error_code error;
  fs::copy(disk_of(id), disk_of(id) + ".copy", fs::copy_options::recursive, error);
  if (error) return fail(ErrorCode::kUnavailable, "cannot copy a disk: " + error.message());
  return {};
}

Result<void> Stage::restore_disk(const std::string& id) {
  std::error_code error;
  fs::remove_all(disk_of(id), error);
  fs::rename(disk_of(id) + ".copy", disk_of(id), error);
  if (error) return fail(ErrorCode::kUnavailable, "cannot put a disk back: " + error.message());
  return {};
}

Result<void> Stage::wait_equal() {
  SystemClock clock;
  const Instant until = clock.now() + kEqualTimeMax;
  std::string last;
  while (clock.now() < until) {
    MIROIR_TRY(const Json topology, miroir_->expect("GET", "/_miroir/topology"));
    bool equal = true;
    last.clear();
    for (const Json& each : topology.find("nodes")->as_array()) {
      const bool well = text_of(each, "state") == "in_sync" && each.find("lag")->as_int64() == 0 &&
                        each.find("healthy")->as_bool();
      if (!well) last += " " + to_text(each);
      equal = equal && well;
    }
    if (equal) return {};
    pause(Milliseconds(100));
  }
  return fail(ErrorCode::kTimeout, "nodes are not in sync:" + last);
}

Api Stage::client() const { return Api(miroir_->url(), kMasterKey); }

Result<double> Stage::metric(const std::string& name) {
  MIROIR_TRY(const Api::Answer answer, metrics_->call("GET", "/metrics"));
  double sum = 0;
  std::istringstream lines(answer.text);
  for (std::string line; std::getline(lines, line);) {
    const bool its_own = line.starts_with(name) && line.size() > name.size() &&
                         (line[name.size()] == ' ' || line[name.size()] == '{');
    if (its_own) sum += std::strtod(line.c_str() + line.rfind(' '), nullptr);
  }
  return sum;
}

Result<std::vector<Json>> Stage::repairs() {
  MIROIR_TRY(const Json answer,
             miroir_->expect("GET", "/_miroir/anti-entropy/repairs?limit=10000"));
  const Json* results = answer.find("results");
  if (results == nullptr || !results->is_array())
    return fail(ErrorCode::kCorrupt, "no repairs in the answer");
  return results->as_array();
}

Result<Json> Stage::run_pass(const std::string& kind) {
  return miroir_->expect("POST", "/_miroir/anti-entropy/start",
                         Json::object({{"kind", kind}, {"wait", true}}));
}

std::vector<CheckedNode> Stage::checked_nodes() {
  std::vector<CheckedNode> out;
  for (NodeSeat& seat : nodes_) out.push_back({seat.id, seat.group, seat.api.get()});
  return out;
}

std::string Stage::leave_running() {
  kept_ = true;
  std::string command = "kill " + std::to_string(miroir_process_.pid());
  miroir_process_.release();
  for (NodeSeat& seat : nodes_) {
    command += " " + std::to_string(seat.process.pid());
    seat.process.release();
  }
  return command + "; rm -r " + directory_;
}

std::string Stage::addresses() const {
  std::string text = "  Miroir    " + miroir_->url() + "   key " + kMasterKey + "\n  metrics   " +
                     metrics_->url() + "/metrics\n";
  for (const NodeSeat& seat : nodes_) {
    text += "  node " + seat.id + "   " + seat.api->url() + "   key " + kNodeMasterKey + "\n";
  }
  return text + "  files     " + directory_ + "\n";
}

}  // namespace miroir::demo
