#include "node_api/simulated_node_fake.h"

#include <algorithm>

#include "meili/api_key.h"
#include "node_api/simulated_writes_fake.h"

namespace miroir {
namespace {

bool is_pending(const SimulatedNode::QueuedTask& queued) { return queued.write.has_value(); }

bool batches_with_neighbours(const NodeWrite& write) {
  return std::holds_alternative<WriteDocuments>(write) ||
         std::holds_alternative<DeleteDocuments>(write) ||
         std::holds_alternative<ClearDocuments>(write);
}

}  // namespace

SimulatedNode::SimulatedNode(Clock& clock, std::uint64_t seed, Options options)
    : clock_(clock), random_(seed), options_(std::move(options)) {}

std::map<std::string, std::string> SimulatedNode::documents(const std::string& index_uid) const {
  std::map<std::string, std::string> texts;
  const auto index = disk_.indexes.find(index_uid);
  if (index == disk_.indexes.end()) return texts;
  for (const auto& [id, document] : index->second.documents) texts[id] = to_text(document);
  return texts;
}

void SimulatedNode::catch_up() {
  while (!delayed_.empty() && delayed_.begin()->first <= clock_.now()) {
    Delayed late = std::move(delayed_.extract(delayed_.begin()).mapped());
    // A spent number refuses it, which is what numbers are for.
    if (!options_.down) (void)enqueue(std::move(late.write), late.uid, std::move(late.metadata));
  }
  if (!options_.automatic) return;
  for (;;) {
    const auto next = std::ranges::find_if(
        disk_.tasks, [](const auto& entry) { return is_pending(entry.second); });
    if (next == disk_.tasks.end() || next->second.ready > clock_.now()) return;
    process_next_batch();
  }
}

bool SimulatedNode::process_next_batch() {
  const std::vector<TaskUid> batch = next_batch();
  if (batch.empty()) return false;
  run_batch(batch);
  return true;
}

void SimulatedNode::settle() {
  while (process_next_batch()) {
  }
}

Result<Enqueued> SimulatedNode::enqueue(NodeWrite write, std::optional<TaskUid> uid,
                                        std::string metadata) {
  if (options_.full) return fail(ErrorCode::kUnavailable, "no space left on device");
  if (!options_.speaks_task_ids) uid.reset();
  if (uid && *uid < disk_.next_uid) {
    return fail(ErrorCode::kConflict, "Received bad task id: " + std::to_string(*uid) +
                                          " should be >= to " + std::to_string(disk_.next_uid));
  }
  const TaskUid number = uid.value_or(disk_.next_uid);
  QueuedTask queued;
  queued.task.uid = number;
  queued.task.status = "enqueued";
  queued.task.type = simulated_task_type(write);
  queued.task.index_uid = simulated_task_index(write);
  queued.task.enqueued_at = wall_time();
  const bool document_route = queued.task.type.starts_with("document");
  if (document_route) queued.task.custom_metadata = metadata;
  queued.metadata = std::move(metadata);
  const auto* settings = std::get_if<UpdateSettings>(&write);
  queued.task.details = settings == nullptr ? Json::object() : settings->settings;
  queued.ready =
      clock_.now() + Microseconds(static_cast<std::int64_t>(
                         random_.unit() * static_cast<double>(options_.task_delay_max.count())));
  // Which tasks one deletes is settled when it arrives: none that come after it.
  if (auto* forget = std::get_if<ForgetTasks>(&write))
    forget->before = std::min(forget->before, number);
  queued.write = std::move(write);
  Enqueued answer{number, queued.task.enqueued_at};
  disk_.tasks.emplace(number, std::move(queued));
  disk_.next_uid = number + 1;
  return answer;
}

void SimulatedNode::arrive_later(Instant when, NodeWrite write, TaskUid uid, std::string metadata) {
  delayed_.emplace(when, Delayed{std::move(write), uid, std::move(metadata)});
}

void SimulatedNode::fail_tasks(std::function<std::optional<std::string>(const NodeTask&)> rule) {
  rule_ = std::move(rule);
}

// Neighbours of one index that only touch documents; a delete by filter runs alone (a node lets it
// only lead a batch).
std::vector<TaskUid> SimulatedNode::next_batch() const {
  std::vector<TaskUid> batch;
  std::string index_uid;
  for (const auto& [uid, queued] : disk_.tasks) {
    if (!is_pending(queued)) continue;
    if (batch.empty()) {
      batch.push_back(uid);
      index_uid = queued.task.index_uid;
      if (!batches_with_neighbours(*queued.write)) break;
      continue;
    }
    // Tasks of other indexes may wait, but never what concerns several.
    if (queued.task.index_uid.empty()) break;
    if (queued.task.index_uid != index_uid) continue;
    if (!batches_with_neighbours(*queued.write) || batch.size() >= options_.batch_tasks_max) break;
    if (options_.automatic && queued.ready > clock_.now()) break;
    batch.push_back(uid);
  }
  return batch;
}

// A task that cannot be applied fails alone; one that is made to fail takes its batch with it, as a
// bad `_geo` does (FACTS.md: "One batch, one fate").
void SimulatedNode::run_batch(const std::vector<TaskUid>& uids) {
  const std::string now = wall_time();
  const std::map<std::string, Index> before_batch = disk_.indexes;
  std::optional<Json> batch_error;
  std::map<TaskUid, SimulatedOutcome> outcomes;
  for (const TaskUid uid : uids) {
    const QueuedTask& queued = disk_.tasks.at(uid);
    const auto told = rule_ ? rule_(queued.task) : std::nullopt;
    if (told) batch_error = simulated_task_error(*told, "Told to fail.");
    if (!told && random_.chance(options_.task_failure))
      batch_error = simulated_task_error("internal", "Failed by chance.");
    if (batch_error) break;
    if (alone_ && alone_(queued.metadata)) {
      outcomes[uid].error = simulated_task_error("internal", "It fails wherever it runs.");
      continue;
    }
    std::map<std::string, Index> before_task = disk_.indexes;
    outcomes[uid] = apply_simulated_write(disk_, queued.task, *queued.write, options_.names, now);
    if (outcomes[uid].error && !outcomes[uid].stays) {
      disk_.indexes = std::move(before_task);
    } else if (watcher_) {
      watcher_(queued.task, before_task);
    }
  }
  if (batch_error) disk_.indexes = before_batch;
  for (const TaskUid uid : uids) {
    QueuedTask& queued = disk_.tasks.at(uid);
    const std::optional<Json>& error = batch_error ? batch_error : outcomes[uid].error;
    queued.write.reset();
    queued.task.status = error ? "failed" : "succeeded";
    queued.task.started_at = now;
    queued.task.finished_at = now;
    if (error) queued.task.error = *error;
    if (!error) queued.task.details = std::move(outcomes[uid].details);
  }
}

std::string SimulatedNode::wall_time() const {
  return to_rfc3339(clock_.wall_now() + options_.clock_offset);
}

void SimulatedNode::make_task(const std::string& type) {
  QueuedTask made;
  made.task.uid = disk_.next_uid;
  made.task.status = "succeeded";
  made.task.type = type;
  made.task.enqueued_at = made.task.started_at = made.task.finished_at = wall_time();
  disk_.tasks.emplace(disk_.next_uid++, std::move(made));
}

void SimulatedNode::cancel_tasks() {
  const std::string now = wall_time();
  for (auto& [uid, queued] : disk_.tasks) {
    if (!is_pending(queued)) continue;
    queued.write.reset();
    queued.task.status = "canceled";
    queued.task.finished_at = now;
  }
  make_task("taskCancelation");
}

void SimulatedNode::write_directly(const std::string& index_uid, const std::string& id,
                                   Json document) {
  Index& index = disk_.indexes[index_uid];
  if (index.created_at.empty()) index.created_at = wall_time();
  if (!index.primary_key) index.primary_key = "id";
  index.documents.insert_or_assign(id, std::move(document));
}

void SimulatedNode::delete_directly(const std::string& index_uid, const std::string& id) {
  const auto index = disk_.indexes.find(index_uid);
  if (index != disk_.indexes.end()) index->second.documents.erase(id);
}

void SimulatedNode::set_directly(const std::string& index_uid, const std::string& setting,
                                 Json value) {
  const auto index = disk_.indexes.find(index_uid);
  if (index != disk_.indexes.end()) index->second.settings.set(setting, std::move(value));
}

bool SimulatedNode::corrupt(const std::string& index_uid, const std::string& id,
                            const std::string& field, Json value) {
  const auto index = disk_.indexes.find(index_uid);
  if (index == disk_.indexes.end()) return false;
  const auto document = index->second.documents.find(id);
  if (document == index->second.documents.end()) return false;
  document->second.set(field, std::move(value));
  return true;
}

Result<void> SimulatedNode::put_key(const Json& key) {
  if (!meili::is_alive(key, clock_.wall_now() + options_.clock_offset))
    return fail(ErrorCode::kInvalid, "`expiresAt` is not in the future");
  const Json* uid = key.find("uid");
  if (uid == nullptr || !uid->is_string()) return {};
  const auto present = disk_.keys.find(uid->as_string());
  if (present == disk_.keys.end()) {
    disk_.keys.emplace(uid->as_string(), key);
    return {};
  }
  // What a key may do never changes.
  for (const char* member : {"name", "description"}) {
    if (const Json* value = key.find(member)) present->second.set(member, *value);
  }
  return {};
}

}  // namespace miroir
