#include "sim/subscriber.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <limits>

#include "sim/json_at.h"

namespace miroir::sim {

std::string describe(const Change& change) {
  return fmt::format("{} {} {}/{} {} by {}", change.position, change.kind, change.index, change.id,
                     change.body, change.origin);
}

// "12", or "12-3".
Subscriber::Cursor Subscriber::cursor_of(const Json& event) {
  const std::string text = text_at(event, "cursor");
  const std::size_t dash = text.find('-');
  if (dash == std::string::npos)
    return {std::stoull(text), std::numeric_limits<std::uint64_t>::max()};
  return {std::stoull(text.substr(0, dash)), std::stoull(text.substr(dash + 1))};
}

// What is told again is told as before; what is new lies behind all that was told.
void Subscriber::take(const std::string& delivery) {
  const Json parsed = *parse_json(delivery);
  for (const Json& event : parsed.find("events")->as_array()) {
    const Cursor cursor = cursor_of(event);
    const bool last = told_.empty() || cursor > told_.rbegin()->first;
    const auto [place, fresh] = told_.try_emplace(cursor, to_text(event));
    if (left_open_.contains(cursor.first)) {
      place->second = to_text(event);
      continue;
    }
    if (fresh && !last) wrong_.push_back("the stream tells out of order: " + to_text(event));
    if (!fresh && place->second != to_text(event))
      wrong_.push_back("the stream tells otherwise: " + place->second + ", " + to_text(event));
  }
}

void Subscriber::log_went_back(Position head, std::set<Position> left_open) {
  left_open_ = std::move(left_open);
  told_.erase(told_.upper_bound({head, std::numeric_limits<std::uint64_t>::max()}), told_.end());
}

std::vector<Change> Subscriber::changes() const {
  std::vector<Change> changes;
  for (const auto& [cursor, text] : told_) {
    const Json event = *parse_json(text);
    const Json* body = event.find("body");
    changes.push_back({cursor.first, text_at(event, "kind"), text_at(event, "index"),
                       text_at(event, "id"), body == nullptr ? "" : to_text(*body),
                       text_at(event, "origin")});
  }
  return changes;
}

std::vector<std::string> check_told(std::vector<Change> told, std::vector<Change> happened) {
  std::ranges::sort(told);
  std::ranges::sort(happened);
  std::vector<std::string> wrong;
  std::vector<Change> these;
  std::ranges::set_difference(told, happened, std::back_inserter(these));
  for (const Change& change : these)
    wrong.push_back("the stream tells what did not happen: " + describe(change));
  these.clear();
  std::ranges::set_difference(happened, told, std::back_inserter(these));
  for (const Change& change : these)
    wrong.push_back("the stream does not tell: " + describe(change));
  return wrong;
}

}  // namespace miroir::sim
