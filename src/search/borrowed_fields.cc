#include "search/borrowed_fields.h"

#include "base/document.h"

namespace miroir {
namespace {

constexpr std::string_view kFormatted = "_formatted";

std::string first_member(const std::string& path) { return path.substr(0, path.find('.')); }

}  // namespace

BorrowedFields::BorrowedFields(Json& query, std::string_view member,
                               const std::vector<std::string>& fields) {
  Json* list = query.find(member);
  if (list == nullptr || !list->is_array()) return;
  std::set<std::string> asked;
  for (const Json& field : list->as_array()) {
    if (!field.is_string() || field.as_string() == "*") return;
    asked.insert(first_member(field.as_string()));
  }
  for (const std::string& field : fields) {
    if (!asked.contains(first_member(field))) fields_.insert(first_member(field));
    list->push_back(field);
  }
}

std::string BorrowedFields::taken_from(std::string document) const {
  if (fields_.empty()) return document;
  auto members = top_level_fields(document);
  if (!members) return document;
  std::string own = "{";
  for (const FieldView& member : *members) {
    if (fields_.contains(member.key)) continue;
    if (own.size() > 1) own += ',';
    if (member.key == kFormatted) {
      own += "\"_formatted\":" + taken_from(std::string(member.value));
    } else {
      own += member.raw;
    }
  }
  return own + '}';
}

}  // namespace miroir
