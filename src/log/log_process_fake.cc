#include "log/log_process_fake.h"

namespace miroir {

LogProcess::LogProcess(Store& store, Clock& clock, LogOptions options)
    : io_(std::make_unique<boost::asio::io_context>()) {
  auto opened = run(Log::open(store, clock, metrics_, io_->get_executor(), options));
  MIROIR_ASSERT(opened.has_value());
  log_ = std::move(*opened);
}

// The coroutines first: what they use outlives them.
LogProcess::~LogProcess() { io_.reset(); }

Result<std::vector<Entry>> LogProcess::append(std::vector<Entry> entries) {
  return run(log_->append([&](const Catalogue&, Position) -> Result<std::vector<Entry>> {
    return std::move(entries);
  }));
}

Body LogProcess::write_body(std::vector<BodyRecord> records) {
  std::size_t next = 0;
  auto body = run(log_->write_body([&]() -> Result<std::optional<BodyRecord>> {
    if (next == records.size()) return std::nullopt;
    return std::move(records[next++]);
  }));
  MIROIR_ASSERT(body.has_value());
  return *body;
}

void LogProcess::settle() {
  NodeProgress progress;
  progress.settled = log_->head();
  MIROIR_ASSERT(run(log_->save_progress({{"n", progress}})).has_value());
}

Position LogProcess::create(const std::string& uid) {
  return append({plain_entry(EntryKind::kCreateIndex, uid)}).value().front().position;
}

Entry LogProcess::documents(EntryKind kind, const std::string& uid,
                            const std::vector<std::string>& ids) {
  std::vector<BodyRecord> records;
  for (const std::string& id : ids) {
    const bool deletes = kind == EntryKind::kDeleteDocuments;
    records.push_back({.slot = static_cast<EntrySlot>(id.size()),
                       .checksum = 7,
                       .id = id,
                       .document = deletes ? "" : R"({"id":")" + id + R"("})"});
  }
  const Body body = write_body(std::move(records));
  Entry entry = plain_entry(kind, uid);
  const IndexState* index = log_->catalogue().index(uid);
  entry.incarnation = index == nullptr ? 0 : index->incarnation;
  entry.task_type = "documentAdditionOrUpdate";
  entry.body = body.id;
  entry.body_pieces = body.pieces;
  entry.body_bytes = body.bytes;
  entry.records = body.records;
  return entry;
}

Position LogProcess::append_documents(EntryKind kind, const std::string& uid,
                                      const std::vector<std::string>& ids) {
  return append({documents(kind, uid, ids)}).value().front().position;
}

Entry plain_entry(EntryKind kind, const std::string& uid, Json arguments) {
  Entry entry;
  entry.kind = kind;
  entry.index_uid = uid;
  entry.arguments = std::move(arguments);
  return entry;
}

std::string describe(const Catalogue& catalogue) {
  std::string text;
  const auto add = [&text](const std::string& uid, const IndexState& index) {
    Json::Array clears;
    Json::Array key_changes;
    for (const auto& [position, before] : index.key_changes)
      key_changes.push_back(Json::array({position, before.value_or("(none)")}));
    for (const IndexState::Clear& clear : index.clears)
      clears.push_back(Json::array({clear.position, clear.stamp}));
    text += to_text(Json::array({uid, index.uid, index.incarnation, index.born, index.taken_over_by,
                                 index.named_at, index.primary_key.value_or("(none)"), key_changes,
                                 index.settings, index.settings_version, index.created_at,
                                 index.updated_at, clears, index.clears_forgotten, index.dropped_at,
                                 index.decided_by})) +
            "\n";
  };
  for (const auto& [uid, index] : catalogue.indexes()) add(uid, index);
  for (const auto& [incarnation, index] : catalogue.dropped()) add("dropped", index);
  for (const TakenBack& one : catalogue.pasts().all())
    text += to_text(Json::array({one.at, one.failed, one.index, one.other})) + "\n";
  for (const auto& [uid, key] : catalogue.keys()) text += uid + to_text(key.key) + "\n";
  return text;
}

}  // namespace miroir
