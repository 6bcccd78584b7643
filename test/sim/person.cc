#include "sim/person.h"

#include <algorithm>

#include "sim/json_at.h"

namespace miroir::sim {
namespace {

// What strangers alone write, where nothing else is damaged nor fails.
bool must_adopt(const Plan& plan) {
  const auto is_harmless = [](const Step& step) {
    const Fault* fault = std::get_if<Fault>(&step.what);
    return fault == nullptr || fault->kind == FaultKind::kStranger ||
           (!damages(fault->kind) && fault->kind != FaultKind::kCurse);
  };
  return plan.foreign_documents == ForeignDocuments::kAdopt && plan.phases.size() == 1 &&
         !plan.trims() && std::ranges::all_of(plan.phases.front().steps, is_harmless);
}

using Document = std::pair<std::string, std::string>;  // index, id

Document document_of(const Json& row) { return {text_at(row, "index"), text_at(row, "id")}; }

std::set<Document> ties_beside_who_is_healed(const Json::Array& rows) {
  std::set<Document> ties;
  for (const Json& row : rows) {
    const auto& copies = at(row, "copies");
    const auto is_healed = [](const Json& copy) { return at(copy, "inSync") == Json(false); };
    if (text_at(row, "reason") == "tie" && std::ranges::any_of(copies.as_array(), is_healed))
      ties.insert(document_of(row));
  }
  return ties;
}

}  // namespace

bool Person::agree() {
  if (!world_.process().ready()) return false;
  const Json status = world_.process().reconciler().divergence();
  bool agreed = false;
  for (const Json& trip : status.find("breaker")->as_array()) {
    world_.witness().agreed();
    agreed = true;
    world_.say("agreed: " + to_text(trip));
    world_.approve(number(trip, "pass"));
  }
  return agreed;
}

std::optional<int> Person::who_is_right() const {
  // What a node made for itself took a number: a request that had been given up and comes late is
  // there beside the one that was sent again, and counts as a stranger's (seed 209111). So does
  // what the node did after that, where a store that was put back does not know yet what numbers
  // were taken (seed 2084332).
  const bool took_a_number =
      has_fault(world_.plan(), [](FaultKind kind) { return kind == FaultKind::kChore; });
  if (!took_a_number && !world_.everybody_was_written_to()) return std::nullopt;
  // That was the same to all, but one group may hold what was put back besides (seed 2025686).
  return victims_ == 0 ? 1 : 0;
}

bool Person::promote() {
  const std::optional<int> right = who_is_right();
  if (!world_.process().ready() || !right) return false;
  bool any = false;
  bool is_to_be_compared = false;  // with the peers that it has in some shards
  for (const std::string& node : world_.topology().nodes_of(*right)) {
    const Position head = world_.process().log().head();
    const auto promoted = world_.await(world_.process().cluster().promote(node, head));
    if (!promoted) continue;
    world_.say(*promoted ? "a person promotes " + node : promoted->error().message);
    any = any || *promoted;
    is_to_be_compared |= !*promoted && promoted->error().message.contains("run a deep pass");
  }
  if (is_to_be_compared) (void)world_.order(PassKind::kDeep, true);
  return any;
}

bool Person::decide() {
  const Chronicle chronicle = world_.chronicle();
  const bool forgot = !chronicle.adoptions.empty() || !chronicle.ledger.left_open().empty();
  // Who was away meanwhile is no source of what others lost to a copy that was put back there
  // (seed 2174141).
  const bool may_be_left = forgot || world_.everybody_was_written_to();
  if (!may_be_left && !world_.strangers_came() && world_.doubtful().empty()) return false;
  const auto repairs = read_audit();
  if (!repairs || !*repairs) return false;
  std::set<Document> seen;
  bool decided = false;
  static const std::set<std::string> kOfDoubtful = {"tie", "tie_hash", "no_good_copy"};
  static const std::set<std::string> kLeftToAPerson = {"maybe_deleted", "newer_untrusted",
                                                       "no_source", "tie"};
  const auto& rows = at(**repairs, "results").as_array();
  const std::set<Document> ties = ties_beside_who_is_healed(rows);
  for (const Json& row : rows) {
    const Document document = document_of(row);
    const std::string reason = text_at(row, "reason");
    // One at a time: it makes its node doubtful.
    const std::string node = text_at(row, "node");
    const bool theirs =
        (reason == "index_unknown" && !made_by_clients(document.first)) ||
        (reason == "documents_unknown" && world_.holds_under_other_key(node, document.first));
    if (theirs && world_.drop_index_of_strangers(node, document.first)) return true;
    const bool strange =
        world_.strange_ids().contains(document.second) && (reason == "foreign" || reason == "tie");
    if (!seen.insert(document).second) continue;
    if (reason == "foreign" && must_adopt(world_.plan()) && document.second.starts_with('x'))
      fail_("nothing speaks against its adoption: " + to_text(row));
    const bool doubtful =
        world_.doubtful().contains(document.second) && kOfDoubtful.contains(reason);
    // By a node that had missed the same as the one that the log did not know to have missed it
    // (docs/design.md, "Where that ends"; seed 2187642).
    const bool outvoted = forgot && reason == "majority" && ties.contains(document);
    if (strange || doubtful || outvoted || (may_be_left && kLeftToAPerson.contains(reason)))
      decided = remove(document) || decided;
  }
  return remove_unknown() || decided;
}

// By now.
bool Person::made_by_clients(const std::string& index) {
  return replay(world_.operations(), world_.chronicle()).model.indexes().contains(index);
}

// Each once.
bool Person::remove(const std::pair<std::string, std::string>& document) {
  if (!decided_.insert(document).second) return false;
  world_.begin(Request{Act::kDelete, document.first, {document.second}, ""}, true);
  return true;
}

// Of an index that is to have no documents only the index is named.
bool Person::remove_unknown() {
  const auto passes = world_.await(world_.process().reconciler().passes(1));
  if (world_.strange_ids().empty() || !passes || !*passes) return false;
  const std::string text = to_text(**passes);
  bool removed = false;
  for (const std::string index : {"books", "films"}) {
    if (!text.contains("index `" + index + "` holds documents that were written behind")) continue;
    for (const std::string& id : world_.strange_ids()) removed = remove({index, id}) || removed;
  }
  return removed;
}

std::optional<Result<Json>> Person::read_audit() {
  return world_.await(world_.process().reconciler().repairs(std::nullopt, kAuditMax));
}

}  // namespace miroir::sim
