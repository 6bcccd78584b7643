#include "anti_entropy/repair.h"

#include <algorithm>
#include <set>

#include "anti_entropy/adoption.h"
#include "anti_entropy/audit.h"
#include "base/document.h"
#include "node_api/exact_copies.h"

namespace miroir::anti_entropy {
namespace {

// What one node must be sent.
struct NodePlan {
  std::vector<const Judged*> replace;
  std::vector<BodyRecord> remove;
};

using Plan = std::map<std::string, NodePlan>;

void plan_copy(Plan& plan, const Judged& judged, const Copy& copy, const Verdict& verdict) {
  if (verdict.treatment == Treatment::kReplace) plan[copy.node].replace.push_back(&judged);
  if (verdict.treatment != Treatment::kDelete) return;
  const auto none = static_cast<Slot>(~slot_of(judged.copies.id));  // not its id's
  plan[copy.node].remove.push_back({.slot = copy.stored.slot.value_or(none),
                                    .checksum = copy.stored.stamp.value_or(0),
                                    .id = judged.copies.id,
                                    .document = ""});
}

Plan make_plan(const std::vector<Judged>& documents) {
  Plan plan;
  for (const Judged& judged : documents) {
    for (std::size_t i = 0; i < judged.copies.owners.size(); ++i) {
      plan_copy(plan, judged, judged.copies.owners[i], judged.decision.owners[i]);
    }
    for (std::size_t i = 0; i < judged.copies.strays.size(); ++i) {
      plan_copy(plan, judged, judged.copies.strays[i], judged.decision.strays[i]);
    }
  }
  return plan;
}

struct Written {
  Body body;
  std::set<std::uint32_t> shards;
};

Async<Result<Written>> write_records(const Tools& tools, std::vector<BodyRecord> records) {
  Written written;
  for (const BodyRecord& record : records) {
    written.shards.insert(tools.cluster.topology().shard_of(slot_of(record.id)));
  }
  std::size_t next = 0;
  MIROIR_CO_TRY(written.body,
                co_await tools.log.write_body([&]() -> Result<std::optional<BodyRecord>> {
                  if (next == records.size()) return std::nullopt;
                  return std::move(records[next++]);
                }));
  co_return written;
}

Result<std::vector<BodyRecord>> records_of(const std::vector<const Judged*>& documents,
                                           bool embedders) {
  std::vector<BodyRecord> records;
  for (const Judged* judged : documents) {
    const Copy& winner = *winner_of(judged->copies, judged->decision);
    MIROIR_TRY(std::string text, text_to_write(winner.text, embedders));
    records.push_back({.slot = slot_of(judged->copies.id),
                       .checksum = winner.stored.checksum.value_or(0),
                       .id = judged->copies.id,
                       .document = std::move(text)});
  }
  return records;
}

Entry entry_for(const Tools& tools, const IndexUnderTest& index, std::optional<std::string> node,
                EntryKind kind, const Written& written, Position read_at, std::uint64_t pass) {
  Entry entry;
  const bool expiry = kind == EntryKind::kDeleteDocuments;
  entry.origin = expiry ? Origin::kTtlExpire : Origin::kAntiEntropy;
  entry.kind = kind;
  entry.index_uid = index.uid;
  entry.incarnation = index.incarnation;
  entry.primary_key = index.primary_key;
  entry.target = std::move(node);
  entry.arguments = Json::object({{"readAt", read_at}, {"pass", pass}});
  entry.body = written.body.id;
  entry.body_pieces = written.body.pieces;
  entry.body_bytes = written.body.bytes;
  entry.records = written.body.records;
  entry.shards.assign(written.shards.begin(), written.shards.end());
  entry.shard_count = tools.cluster.topology().shard_count();
  return entry;
}

// Moves what was overtaken meanwhile out of the plan.
Async<Result<void>> drop_outdated(const Tools& tools, const IndexUnderTest& index,
                                  Settled& settled) {
  std::vector<Judged> still;
  for (Judged& judged : settled.documents) {
    MIROIR_CO_TRY(const bool over, co_await outdated(tools, index, judged, settled.read_at));
    if (over) {
      settled.moving.push_back(judged.copies.id);
    } else {
      still.push_back(std::move(judged));
    }
  }
  settled.documents = std::move(still);
  co_return Result<void>{};
}

// The winners that expired, as a sweep names them: every owner is told, and the log remembers.
std::vector<BodyRecord> expired_of(const std::vector<Judged>& documents) {
  std::vector<BodyRecord> records;
  for (const Judged& judged : documents) {
    if (judged.decision.action != Action::kDelete || judged.decision.reason != Reason::kExpired)
      continue;
    const Copy& winner = *winner_of(judged.copies, judged.decision);
    records.push_back({.slot = slot_of(judged.copies.id),
                       .checksum = *winner.stored.stamp,
                       .id = judged.copies.id,
                       .document = ""});
  }
  return records;
}

// What is sent, and why some of it is not. Bodies are held until their entries are appended.
struct Prepared {
  std::vector<Entry> entries;
  std::vector<Body> bodies;
  std::set<std::string> sent;                   // ids
  std::map<std::string, std::string> not_sent;  // id → why
};

// Takes out what cannot be deleted on that node by what a filter tells.
Async<std::vector<BodyRecord>> separable(const Tools& tools, const IndexUnderTest& index,
                                         std::string node, std::vector<BodyRecord> records,
                                         Prepared& prepared) {
  if (records.empty()) co_return records;
  DeleteExactCopies write{index.uid, index.primary_key, {}};
  for (const BodyRecord& record : records)
    write.copies.push_back({record.id, record.slot, exact_stamp(record)});
  auto permit = co_await tools.reads.acquire();
  const auto inseparable =
      co_await inseparable_copies(tools.cluster.client(node), std::move(write), tools.options.names,
                                  tools.clock.now() + kReadTimeout);
  std::erase_if(records, [&](const BodyRecord& record) {
    if (inseparable && !inseparable->contains(record.id)) return false;
    prepared.not_sent[record.id] =
        "not deleted on node " + node + ": " +
        (inseparable ? "the filter of the delete matches another document as well, of an id that "
                       "Meilisearch holds for the same"
                     : inseparable.error().message);
    return true;
  });
  co_return records;
}

// Far below what a node takes in one request: PUTs are merged into copies when they are sent.
std::vector<std::vector<BodyRecord>> in_parts(std::vector<BodyRecord> records) {
  std::vector<std::vector<BodyRecord>> parts;
  std::uint64_t bytes = 0;
  for (BodyRecord& record : records) {
    bytes += record.document.size();
    if (parts.empty() || bytes > kEntryBytesMax) {
      parts.emplace_back();
      bytes = record.document.size();
    }
    parts.back().push_back(std::move(record));
  }
  return parts;
}

Async<Result<void>> prepare(const Tools& tools, const IndexUnderTest& index,
                            std::optional<std::string> node, EntryKind kind,
                            std::vector<BodyRecord> records, Position read_at, std::uint64_t pass,
                            Prepared& prepared) {
  for (const BodyRecord& record : records) prepared.sent.insert(record.id);
  for (std::vector<BodyRecord>& part : in_parts(std::move(records))) {
    MIROIR_CO_TRY(const Written written, co_await write_records(tools, std::move(part)));
    prepared.entries.push_back(entry_for(tools, index, node, kind, written, read_at, pass));
    prepared.bodies.push_back(written.body);
  }
  co_return Result<void>{};
}

// Deletes come first: a copy that is restored may be one that a delete beside it would match too.
Async<Result<Prepared>> prepare_entries(const Tools& tools, const IndexUnderTest& index,
                                        const Settled& settled, std::uint64_t pass) {
  Prepared prepared;
  Plan plan = make_plan(settled.documents);
  for (auto& [node, its] : plan)
    its.remove = co_await separable(tools, index, node, std::move(its.remove), prepared);
  std::vector<BodyRecord> expired = expired_of(settled.documents);
  for (const NodeConfig& node : tools.cluster.topology().nodes()) {  // all owners are told
    std::vector<BodyRecord> owned;
    std::ranges::copy_if(expired, std::back_inserter(owned), [&](const BodyRecord& record) {
      return tools.cluster.topology().owns(node.id, record.slot);
    });
    co_await separable(tools, index, node.id, std::move(owned), prepared);
  }
  std::set<std::string> kept;  // all owners or none
  std::erase_if(expired, [&](const BodyRecord& record) {
    if (!prepared.not_sent.contains(record.id)) return false;
    kept.insert(record.id);
    return true;
  });
  for (auto& [node, its] : plan)
    std::erase_if(its.remove, [&](const BodyRecord& record) { return kept.contains(record.id); });
  MIROIR_CO_CHECK(co_await prepare(tools, index, std::nullopt, EntryKind::kDeleteDocuments,
                                   std::move(expired), settled.read_at, pass, prepared));
  MIROIR_CO_TRY(auto adopted,
                adopted_records(settled.documents, tools.options.names, index.embedders));
  MIROIR_CO_CHECK(co_await prepare(tools, index, std::nullopt, EntryKind::kWriteDocuments,
                                   std::move(adopted), settled.read_at, pass, prepared));
  for (auto& [node, its] : plan) {
    MIROIR_CO_TRY(auto copies, records_of(its.replace, index.embedders));
    MIROIR_CO_CHECK(co_await prepare(tools, index, node, EntryKind::kRepairDeletes,
                                     std::move(its.remove), settled.read_at, pass, prepared));
    MIROIR_CO_CHECK(co_await prepare(tools, index, node, EntryKind::kRepairDocuments,
                                     std::move(copies), settled.read_at, pass, prepared));
  }
  co_return prepared;
}

// What writers do from here on the lanes see to: a copy that is overtaken is not sent, or with the
// PUTs that it lacks, and deletes are conditional.
Async<Result<Prepared>> append_repairs(const Tools& tools, const IndexUnderTest& index,
                                       Settled& settled, std::uint64_t pass) {
  MIROIR_CO_CHECK(co_await drop_outdated(tools, index, settled));
  MIROIR_CO_TRY(Prepared prepared, co_await prepare_entries(tools, index, settled, pass));
  if (prepared.entries.empty()) co_return prepared;
  std::vector<const Judged*> sent;
  for (const Judged& judged : settled.documents)
    if (prepared.sent.contains(judged.copies.id)) sent.push_back(&judged);
  MIROIR_CO_CHECK(co_await tools.audit.announce(index.uid, std::move(sent), settled.read_at,
                                                tools.clock.wall_now()));
  auto appended = co_await tools.log.append(
      [&](const Catalogue& catalogue, Position) -> Result<std::vector<Entry>> {
        MIROIR_CHECK(unchanged(catalogue, index));
        return prepared.entries;
      });
  if (!appended) {
    MIROIR_CO_CHECK(co_await tools.audit.withdraw());
    co_return std::unexpected(appended.error());
  }
  prepared.entries = std::move(*appended);
  co_return prepared;
}

const Copy* copy_on(const std::vector<Copy>& copies, const std::string& node) {
  const auto found = std::ranges::find(copies, node, &Copy::node);
  return found == copies.end() ? nullptr : &*found;
}

// What the copies that were replaced must be by now: what the winner was when it was read, or,
// where PUTs landed on it since, what it is.
const Copy& expected(const Judged& before, const Judged& after) {
  const Copy& source = *winner_of(before.copies, before.decision);
  const Copy* now = copy_on(after.copies.owners, source.node);
  const bool merged = now != nullptr && now->present() && now->stored.stamp > source.stored.stamp &&
                      now->stored.base == source.stored.base;
  return merged ? *now : source;
}

// Whether every copy that was to be changed was read again and is now what it must be, or gone.
bool verified(const Judged& before, const Judged& after, const Roster& roster,
              const std::set<Stamp>& adopted_at) {
  if (before.decision.action == Action::kAdopt) return is_adopted(before, after, adopted_at);
  const auto right = [&](const Copy& copy, const Verdict& verdict) {
    if (verdict.treatment == Treatment::kLeave) return true;
    if (!roster.readable(copy.node)) return false;
    const Copy* now = copy_on(after.copies.owners, copy.node);
    if (now == nullptr) now = copy_on(after.copies.strays, copy.node);
    if (verdict.treatment == Treatment::kDelete) return now == nullptr || !now->present();
    if (now == nullptr || !now->present() || !before.decision.winner) return false;
    const Copy& wanted = expected(before, after);
    return now->stored.stamp == wanted.stored.stamp && now->stored.base == wanted.stored.base &&
           now->stored.expires_at == wanted.stored.expires_at && now->content == wanted.content;
  };
  for (std::size_t i = 0; i < before.copies.owners.size(); ++i) {
    if (!right(before.copies.owners[i], before.decision.owners[i])) return false;
  }
  for (std::size_t i = 0; i < before.copies.strays.size(); ++i) {
    if (!right(before.copies.strays[i], before.decision.strays[i])) return false;
  }
  return true;
}

struct ReadAgain {
  Position read_at = 0;
  Judged judged;  // without the texts of its copies
};

void drop_texts(Judged& judged) {
  for (auto* copies : {&judged.copies.owners, &judged.copies.strays})
    for (Copy& copy : *copies) copy.text.clear();
}

// Those that hold still; and then the others, while the lanes stand. What cannot be read, or what a
// pass that is cut off does not come to, is left out.
Async<std::map<std::string, ReadAgain>> read_again(const Tools& tools, IndexUnderTest index,
                                                   Roster& roster, std::vector<std::string> ids,
                                                   Counter bytes) {
  std::map<std::string, ReadAgain> documents;
  for (const Lanes lanes : {Lanes::kMove, Lanes::kStand}) {
    std::vector<std::string> moving;
    while (!ids.empty()) {
      auto again = co_await settle_and_judge(tools, index, roster, std::move(ids), bytes, lanes);
      if (!again) co_return documents;
      for (Judged& judged : again->documents) {
        drop_texts(judged);
        std::string id = judged.copies.id;
        documents.emplace(std::move(id), ReadAgain{again->read_at, std::move(judged)});
      }
      std::ranges::move(again->moving, std::back_inserter(moving));
      ids = std::move(again->left_over);
    }
    ids = std::move(moving);
  }
  co_return documents;
}

std::string did(const Judged& judged) {
  if (judged.decision.action == Action::kDelete) return "deleted";
  return (judged.decision.action == Action::kAdopt ? "adopted from node " : "copied from node ") +
         winner_of(judged.copies, judged.decision)->node;
}

// What each node made of the entries: errors by node.
Async<std::map<std::string, std::string>> await_entries(const Tools& tools, const Roster& roster,
                                                        std::vector<Entry> entries) {
  std::vector<Async<Applied>> waits;
  for (const Entry& entry : entries) {
    // What all are told of the expired comes before what each is told.
    if (entry.target) waits.push_back(await_applied(tools, *entry.target, entry.position));
    if (entry.kind != EntryKind::kWriteDocuments) continue;
    for (const std::string& node : roster.readable_nodes())
      waits.push_back(await_applied(tools, node, entry.position));
  }
  std::map<std::string, std::string> errors;
  for (const Applied& applied : co_await gather(std::move(waits))) {
    if (applied.error) errors[applied.node] = *applied.error;
  }
  co_return errors;
}

}  // namespace

Result<std::string> text_to_write(const std::string& text, bool embedders) {
  MIROIR_TRY(const auto fields, top_level_fields(text));
  bool explicit_vectors = false;
  for (const FieldView& field : fields) {
    explicit_vectors = explicit_vectors || (field.key == "_vectors" && field.value != "{}");
  }
  if (explicit_vectors) return for_writing_back(text);
  std::string bare;
  MIROIR_CHECK(append_without(bare, text, [](std::string_view key) { return key == "_vectors"; }));
  std::string whole;
  if (embedders) {
    append_spliced(whole, bare, {{.key = "_vectors", .value = "null"}});
  } else {
    whole = std::move(bare);
  }
  return for_writing_back(whole);
}

Async<Result<std::vector<Handled>>> repair(const Tools& tools, IndexUnderTest index, Roster& roster,
                                           Settled settled, std::uint64_t pass, Counter bytes) {
  std::vector<Handled> handled = leave_unadoptable(tools, index, settled);
  MIROIR_CO_TRY(const Prepared prepared, co_await append_repairs(tools, index, settled, pass));
  std::set<Stamp> adopted_at;
  for (const Entry& entry : prepared.entries)
    if (entry.kind == EntryKind::kWriteDocuments) adopted_at.insert(entry.stamp);
  const auto errors = co_await await_entries(tools, roster, prepared.entries);

  std::vector<std::string> ids;
  for (const Judged& judged : settled.documents) ids.push_back(judged.copies.id);
  const auto after = co_await read_again(tools, index, roster, std::move(ids), bytes);

  std::vector<Taint> healed;
  for (Judged& judged : settled.documents) {
    Handled one{
        .judged = std::move(judged), .read_at = settled.read_at, .repaired = false, .outcome = ""};
    const auto found = after.find(one.judged.copies.id);
    if (found == after.end()) {
      one.outcome = tools.stopping() ? "sent, but the pass was cut off before it could be verified"
                                     : "sent, but written again before it could be verified";
    } else if (verified(one.judged, found->second.judged, roster, adopted_at)) {
      one.repaired = true;
      one.outcome = did(one.judged) + ", verified";
      std::ranges::copy(ended_taints(tools, index, found->second.read_at, found->second.judged),
                        std::back_inserter(healed));
    } else {
      one.outcome = "sent, but it still differs";
    }
    const auto not_sent = prepared.not_sent.find(one.judged.copies.id);
    if (!one.repaired && not_sent != prepared.not_sent.end()) {
      one.outcome = not_sent->second;
    } else if (!one.repaired) {
      for (const auto& [node, error] : errors) one.outcome += "; " + error;
    }
    handled.push_back(std::move(one));
  }
  if (!healed.empty()) MIROIR_CO_CHECK(co_await tools.log.clear_taints(std::move(healed)));
  co_return handled;
}

}  // namespace miroir::anti_entropy
