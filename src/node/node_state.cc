#include "node/node_state.h"

namespace miroir::node {

Result<std::unique_ptr<NodeState>> NodeState::open(const std::string& path) {
  MIROIR_TRY(sqlite::Database database, sqlite::Database::open(path));
  MIROIR_CHECK(database.execute(
      "CREATE TABLE IF NOT EXISTS state(name TEXT PRIMARY KEY, value TEXT NOT NULL)"));
  std::unique_ptr<NodeState> state(new NodeState(std::move(database)));
  MIROIR_TRY(sqlite::Statement rows, state->database_.prepare("SELECT name,value FROM state"));
  while (true) {
    MIROIR_TRY(const bool row, rows.step());
    if (!row) break;
    MIROIR_TRY(Json value, parse_json(rows.text(1)));
    state->values_.emplace(rows.string(0), std::move(value));
  }
  return state;
}

std::optional<Json> NodeState::get(std::string_view name) const {
  const std::scoped_lock lock(mutex_);
  const auto found = values_.find(name);
  if (found == values_.end()) return std::nullopt;
  return found->second;
}

Result<void> NodeState::set(std::string_view name, const Json& value) {
  const std::scoped_lock lock(mutex_);
  MIROIR_TRY(sqlite::Statement* const row,
             database_.cached("INSERT OR REPLACE INTO state VALUES(?,?)"));
  row->bind(1, name).bind(2, to_text(value));
  MIROIR_CHECK(row->run());
  values_.insert_or_assign(std::string(name), value);
  return {};
}

}  // namespace miroir::node
