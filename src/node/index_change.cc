#include "node/index_change.h"

#include <algorithm>

#include "node/catalogue.h"
#include "node/text_index.h"

namespace miroir::node {

IndexChange::IndexChange(const Index& index, sqlite::Database& database)
    : index_(index), database_(database), number_end_(index.number_end) {
  const Json* embedders = index.settings.find("embedders");
  keeps_vectors_ = embedders != nullptr && embedders->size() > 0;
}

std::optional<DocumentNumber> IndexChange::number_of(const std::string& id) const {
  if (const auto changed = places_.find(id); changed != places_.end()) {
    return changed->second.present ? std::optional(changed->second.number) : std::nullopt;
  }
  const auto found = index_.numbers.find(id);
  return found == index_.numbers.end() ? std::nullopt : std::optional(found->second);
}

DocumentNumber IndexChange::take_number() {
  if (free_used_ < index_.free_numbers.size()) {
    return index_.free_numbers[index_.free_numbers.size() - ++free_used_];
  }
  return number_end_++;
}

void IndexChange::order_fields(Json& document) {
  std::vector<std::pair<std::size_t, Json::Member>> ordered;
  for (Json::Member& member : document.as_object()) {
    std::size_t place = 0;
    if (const auto known = index_.field_order.find(member.first);
        known != index_.field_order.end()) {
      place = known->second;
    } else {
      const std::size_t next = index_.fields.size() + new_fields_.size();
      const auto [found, is_new] = new_field_order_.emplace(member.first, next);
      if (is_new) new_fields_.push_back(member.first);
      place = found->second;
    }
    ordered.emplace_back(place, std::move(member));
  }
  std::ranges::sort(ordered, {}, &std::pair<std::size_t, Json::Member>::first);
  Json::Object& members = document.as_object();
  members.clear();
  for (auto& [place, member] : ordered) members.push_back(std::move(member));
}

Result<void> IndexChange::replace(const std::string& id, Json document) {
  const auto number = number_of(id);
  if (!number) {
    const auto erased = places_.find(id);
    const DocumentNumber fresh = erased == places_.end() ? take_number() : erased->second.number;
    places_[id] = {fresh, true};
    return change(fresh, nullptr, &document, "");
  }
  MIROIR_TRY(const auto text, read_document(database_, index_, *number));
  if (!text) return fail(ErrorCode::kCorrupt, "document `" + id + "` has no text");
  MIROIR_TRY(const Json before, parse_json(*text));
  if (keeps_vectors_ && document.find("_vectors") == nullptr) {
    if (const Json* vectors = before.find("_vectors")) document.set("_vectors", *vectors);
  }
  places_[id] = {*number, true};
  return change(*number, &before, &document, *text);
}

Result<void> IndexChange::merge(const std::string& id, Json fields) {
  const auto number = number_of(id);
  if (!number) return replace(id, std::move(fields));
  MIROIR_TRY(const auto text, read_document(database_, index_, *number));
  if (!text) return fail(ErrorCode::kCorrupt, "document `" + id + "` has no text");
  MIROIR_TRY(const Json before, parse_json(*text));
  Json after = before;
  for (auto& [name, value] : fields.as_object()) after.set(name, std::move(value));
  places_[id] = {*number, true};
  return change(*number, &before, &after, *text);
}

Result<bool> IndexChange::erase(const std::string& id) {
  const auto number = number_of(id);
  if (!number) return false;
  MIROIR_TRY(const auto text, read_document(database_, index_, *number));
  if (!text) return fail(ErrorCode::kCorrupt, "document `" + id + "` has no text");
  MIROIR_TRY(const Json before, parse_json(*text));
  places_[id] = {*number, false};
  MIROIR_CHECK(change(*number, &before, nullptr, *text));
  return true;
}

// `after` is put in the index's order of fields on the way.
Result<void> IndexChange::change(DocumentNumber number, const Json* before, const Json* after,
                                 std::string_view before_text) {
  std::optional<Json> ordered;
  std::string after_text;
  if (after != nullptr) {
    ordered = *after;
    order_fields(*ordered);
    after_text = to_text(*ordered);
    if (before != nullptr && after_text == before_text) return {};
  }
  const Json* written = ordered ? &*ordered : nullptr;
  const std::function<bool(std::string_view)> wanted = [this](std::string_view field) {
    return indexed(field);
  };
  if (before != nullptr) {
    for (const auto& [field, value] : before->as_object()) --distribution_[field];
    for (const auto& [field, values] : flatten(*before, wanted))
      columns_[field].remove(number, values);
    raw_bytes_ -= static_cast<std::int64_t>(before_text.size());
  }
  if (written != nullptr) {
    for (const auto& [field, value] : written->as_object()) ++distribution_[field];
    for (const auto& [field, values] : flatten(*written, wanted))
      columns_[field].add(number, values);
    raw_bytes_ += static_cast<std::int64_t>(after_text.size());
    MIROIR_CHECK(write_document(database_, index_, number, after_text));
  } else {
    MIROIR_CHECK(erase_document(database_, index_, number));
  }
  return update_text_index(database_, index_, number, before, written);
}

bool IndexChange::indexed(std::string_view field) {
  auto known = indexed_.find(field);
  if (known == indexed_.end()) known = indexed_.emplace(field, index_.rules.indexed(field)).first;
  return known->second;
}

Result<void> IndexChange::finish(WallTime now) {
  updated_at_ = now;
  Json fields = Json::array();
  for (const std::string& field : index_.fields) fields.push_back(field);
  for (const std::string& field : new_fields_) fields.push_back(field);
  MIROIR_TRY(sqlite::Statement* const row,
             database_.cached("UPDATE indexes SET updated_at=?,fields=? WHERE number=?"));
  row->bind(1, now.time_since_epoch().count()).bind(2, to_text(fields)).bind(3, index_.number);
  return row->run();
}

void IndexChange::apply(Index& index) && {
  index.updated_at = updated_at_;
  for (std::string& field : new_fields_) {
    index.field_order.emplace(field, index.fields.size());
    index.fields.push_back(std::move(field));
  }
  index.free_numbers.resize(index.free_numbers.size() - free_used_);
  index.number_end = number_end_;
  for (const auto& [id, place] : places_) {
    if (place.present) {
      index.numbers[id] = place.number;
      index.documents.insert(place.number);
    } else {
      index.numbers.erase(id);
      index.documents.erase(place.number);
      index.free_numbers.push_back(place.number);
    }
  }
  for (const auto& [field, difference] : distribution_) {
    std::uint64_t& count = index.field_distribution[field];
    count += static_cast<std::uint64_t>(difference);
    if (count == 0) index.field_distribution.erase(field);
  }
  index.raw_bytes += static_cast<std::uint64_t>(raw_bytes_);
  for (auto& [field, change] : columns_) std::move(change).apply(index.columns[field]);
}

}  // namespace miroir::node
