#pragma once

#include <map>
#include <set>
#include <string>
#include <tuple>
#include <vector>

#include "base/json.h"
#include "log/entry.h"

namespace miroir::sim {

// One change of a document, or of an index, as the change stream tells it.
struct Change {
  Position position = 0;
  std::string kind;
  std::string index;  // empty: several
  std::string id;
  std::string body;
  std::string origin = "client";
  auto operator<=>(const Change&) const = default;
};
std::string describe(const Change& change);

// Who is told of changes: it outlives Miroir, and drops what it is told again.
class Subscriber {
 public:
  // One delivery, as it arrives.
  void take(const std::string& delivery);
  // Another log goes on from there: what was told of the old one is void, and of what it had left
  // open another end may be told.
  void log_went_back(Position head, std::set<Position> left_open);

  std::vector<Change> changes() const;
  Position last() const { return told_.empty() ? 0 : told_.rbegin()->first.first; }
  std::vector<std::string> take_wrong() { return std::exchange(wrong_, {}); }

 private:
  using Cursor = std::pair<Position, std::uint64_t>;
  static Cursor cursor_of(const Json& event);
  std::map<Cursor, std::string> told_;
  std::set<Position> left_open_;
  std::vector<std::string> wrong_;
};

// Sentences: what was told and did not happen, or the reverse.
std::vector<std::string> check_told(std::vector<Change> told, std::vector<Change> happened);

}  // namespace miroir::sim
