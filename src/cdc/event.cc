#include "cdc/event.h"

#include "cdc/cursor.h"
#include "forward/plan.h"

namespace miroir::cdc {
namespace {

// Empty for what is no event.
std::string_view event_kind(EntryKind kind) {
  switch (kind) {
    case EntryKind::kWriteDocuments:
    case EntryKind::kRepairDocuments:
      return "write";
    case EntryKind::kMergeDocuments:
      return "merge";
    case EntryKind::kDeleteDocuments:
    case EntryKind::kRepairDeletes:
      return "delete";
    case EntryKind::kClearDocuments:
      return "clear";
    case EntryKind::kCreateIndex:
      return "createIndex";
    case EntryKind::kUpdateIndex:
      return "updateIndex";
    case EntryKind::kDropIndex:
      return "dropIndex";
    case EntryKind::kSwapIndexes:
      return "swapIndexes";
    case EntryKind::kUpdateSettings:
      return "updateSettings";
    default:
      return "";
  }
}

bool is_wanted(Origin origin, const CdcOptions& options) {
  switch (origin) {
    case Origin::kClient:
      return true;
    case Origin::kTtlExpire:
      return options.emit_ttl_deletes;
    case Origin::kMove:
    case Origin::kSystem:
      return options.emit_internal_writes;
    case Origin::kAntiEntropy:
      return false;
  }
  return false;
}

// Settings may hold secrets, and are told of without what they are.
bool has_details(EntryKind kind) {
  return kind == EntryKind::kCreateIndex || kind == EntryKind::kUpdateIndex ||
         kind == EntryKind::kSwapIndexes;
}

// As the client asked for it.
Json details_of(const Entry& entry) {
  Json details = entry.arguments;
  details.erase("settingsVersion");
  if (!details.is_array()) return details;
  for (Json& swap : details.as_array()) {
    swap.erase("incarnations");
    swap.erase("settingsVersions");
    swap.erase("primaryKeys");
  }
  return details;
}

}  // namespace

Verdict judge(const Entry& entry, const CdcOptions& options) {
  if (entry.born_failed || event_kind(entry.kind).empty()) return Verdict::kNothing;
  return is_wanted(entry.origin, options) ? Verdict::kEvents : Verdict::kSuppressed;
}

bool is_of_documents(const Entry& entry) { return has_records(entry.kind); }

std::uint64_t event_count(const Entry& entry) { return is_of_documents(entry) ? entry.records : 1; }

bool touches(const Entry& entry, const std::string& index_uid) {
  return index_uid.empty() || entry.index_uid == index_uid ||
         index_names(entry).contains(index_uid);
}

void append_event(std::string& out, const Entry& entry, std::uint64_t number,
                  const BodyRecord* record, bool body) {
  const Cursor cursor{entry.position, record == nullptr ? Cursor::kWhole : number + 1};
  out += R"({"cursor":")" + to_string(cursor) + R"(","position":)" +
         std::to_string(entry.position) + R"(,"stamp":)" + std::to_string(entry.stamp) +
         R"(,"origin":")";
  out += name(entry.origin);
  out += R"(","index":)";
  if (entry.index_uid.empty()) {
    out += "null";
  } else {
    append_quoted(out, entry.index_uid);
  }
  out += R"(,"kind":")";
  out += event_kind(entry.kind);
  out += '"';
  if (record != nullptr) {
    out += R"(,"id":)";
    append_quoted(out, record->id);
  }
  // What is copied between nodes holds stored fields, which are nobody's business.
  const bool as_written =
      entry.kind == EntryKind::kWriteDocuments || entry.kind == EntryKind::kMergeDocuments;
  if (body && as_written && record != nullptr) {
    out += R"(,"body":)";
    out += record->document;
  }
  if (has_details(entry.kind)) {
    out += R"(,"details":)";
    append_text(out, details_of(entry));
  }
  out += '}';
}

}  // namespace miroir::cdc
