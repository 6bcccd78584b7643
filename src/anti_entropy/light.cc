#include "anti_entropy/light.h"

#include <algorithm>
#include <set>

#include "anti_entropy/doubt.h"
#include "cluster/present_taints.h"

namespace miroir::anti_entropy {
namespace {

constexpr int kLooks = 4;
constexpr std::size_t kRangesPerRequest = 256;
constexpr std::size_t kStampsPerRequest = 2'000;
constexpr std::size_t kBesideMax = 10'000;  // documents beside the sums that one look takes

struct NodeDigests {
  std::string node;
  Result<std::vector<DigestCounts>> counts;
};

Async<NodeDigests> ask_node(const Tools& tools, std::string index, std::string node,
                            SlotRanges ranges) {
  auto permit = co_await tools.reads.acquire();
  std::vector<DigestCounts> all;
  for (std::size_t first = 0; first < ranges.size(); first += kRangesPerRequest) {
    const std::size_t end = std::min(ranges.size(), first + kRangesPerRequest);
    SlotRanges some(ranges.begin() + static_cast<std::ptrdiff_t>(first),
                    ranges.begin() + static_cast<std::ptrdiff_t>(end));
    const std::size_t expected = some.size();
    auto counts = co_await tools.cluster.client(node).digests(index, std::move(some),
                                                              tools.clock.now() + kReadTimeout);
    if (counts && counts->size() != expected) {
      counts = fail(ErrorCode::kCorrupt, "answered fewer digests than were asked for");
    }
    if (!counts) co_return NodeDigests{node, std::move(counts)};
    std::ranges::copy(*counts, std::back_inserter(all));
  }
  co_return NodeDigests{node, std::move(all)};
}

// Of each document: which stamps each group holds.
using Holdings = std::map<std::string, std::vector<std::multiset<std::optional<Stamp>>>>;

bool alike(const Holdings::mapped_type& groups) {
  return std::ranges::all_of(
      groups, [&](const auto& stamps) { return stamps.size() == 1 && stamps == groups.front(); });
}

std::vector<DigestCounts> count(const Holdings& documents, std::size_t groups) {
  std::vector<DigestCounts> counts(groups);
  for (const auto& [id, stamps] : documents) {
    for (std::size_t g = 0; g < groups; ++g) {
      for (const auto& stamp : stamps[g]) {
        if (!stamp) continue;
        const DigestSymbols symbols = digest_of(id, *stamp);
        for (std::size_t i = 0; i < symbols.size(); ++i) ++counts[g].counts[i][symbols[i]];
      }
    }
  }
  return counts;
}

}  // namespace

LightComparison::LightComparison(const Tools& tools, IndexUnderTest index, Roster& roster,
                                 Resolver& resolver, IndexReport& report)
    : tools_(tools),
      index_(std::move(index)),
      roster_(roster),
      resolver_(resolver),
      report_(report) {}

Async<Result<void>> LightComparison::run() {
  int rounds = 0;
  while (rounds < kRoundsMax) {
    if (tools_.stopping()) co_return std::unexpected(cut_off());
    MIROIR_CO_TRY(const Progress progress, co_await round());
    if (progress == Progress::kLost) continue;  // ends: every time one node fewer
    MIROIR_CO_CHECK(co_await resolver_.flush());
    if (!resolver_.next_round()) co_return Result<void>{};
    ++rounds;
  }
  // Nobody saw that all is equal now.
  report_.add_problem("documents were broken again and again while they were repaired");
  co_return Result<void>{};
}

Async<Result<LightComparison::Progress>> LightComparison::round() {
  std::set<std::string> tainted;
  for (const Taint& taint :
       present_taints(tools_.log, tools_.cluster.topology(), index_.incarnation)) {
    if (!taint.id.empty()) tainted.insert(taint.id);
  }
  MIROIR_CO_CHECK(co_await resolver_.add({tainted.begin(), tainted.end()}));

  for (const std::string& node : roster_.readable_nodes()) {
    MIROIR_CO_TRY(const Progress progress, co_await beside_the_sums(node));
    if (progress == Progress::kLost) co_return progress;
  }
  for (const Roster::Part& part : roster_.parts(tools_.cluster.topology())) {
    if (part.groups.size() < 2 || !part.source) continue;
    MIROIR_CO_TRY(const Progress progress, co_await descend_if_it_lasts(part));
    if (progress == Progress::kLost) co_return progress;
  }
  co_return Progress::kDone;
}

bool LightComparison::lose(const std::string& node, const Error& error) {
  roster_.lose(node, error.message);
  return true;
}

// Documents on a node that does not own them, documents without slot or digest, and what is older
// than the index on all owners alike, are not what the sums compare.
Async<Result<LightComparison::Progress>> LightComparison::beside_the_sums(std::string node) {
  std::vector<DocumentQuery> queries;
  if (SlotRanges others = complement(tools_.cluster.topology().ranges_of(node)); !others.empty()) {
    DocumentQuery outside;
    outside.slots = std::move(others);
    queries.push_back(std::move(outside));
  }
  DocumentQuery unmarked;
  unmarked.unmarked = true;
  queries.push_back(std::move(unmarked));
  const IndexState* state = tools_.log.catalogue().by_incarnation(index_.incarnation);
  if (auto doubt = tools_.log.taint(index_.incarnation, "", node); doubt && state != nullptr) {
    MIROIR_CO_TRY(const InDoubt its, co_await what_is_in_doubt(tools_, std::move(*doubt)));
    if (its.older) queries.push_back(older_documents(*state, tools_.options.names));
  }

  for (DocumentQuery& query : queries) {
    auto found = co_await read_stamps(node, std::move(query), kBesideMax + 1);
    if (!found) co_return Progress::kLost;
    if (found->size() > kBesideMax)
      report_.add_problem_of(node, "node " + node + ": more than " + std::to_string(kBesideMax) +
                                       " documents lie in no slot, or in another node's, or are "
                                       "older than the index: some wait");
    std::vector<std::string> ids;
    for (DocumentCopy& copy : *found) ids.push_back(std::move(copy.id));
    MIROIR_CO_CHECK(co_await resolver_.add(std::move(ids)));
  }
  co_return Progress::kDone;
}

std::vector<std::string> LightComparison::owners_in(const Roster::Part& part, int group) const {
  std::set<std::string> owners;
  for (ShardId shard : part.shards) owners.insert(tools_.cluster.topology().owner(group, shard));
  return {owners.begin(), owners.end()};
}

Async<Result<std::optional<std::vector<LightComparison::Asked>>>> LightComparison::ask(
    const Roster::Part& part, const std::vector<SlotRanges>& questions) {
  SlotRanges flat;
  for (const SlotRanges& question : questions)
    std::ranges::copy(question, std::back_inserter(flat));
  std::vector<Async<NodeDigests>> requests;
  std::map<std::string, std::size_t> group_of;
  for (std::size_t g = 0; g < part.groups.size(); ++g) {
    for (const std::string& node : owners_in(part, part.groups[g])) {
      if (!roster_.readable(node)) co_return std::nullopt;
      group_of[node] = g;
      requests.push_back(ask_node(tools_, index_.uid, node, flat));
    }
  }
  std::vector<Asked> answers(questions.size(),
                             Asked{std::vector<DigestCounts>(part.groups.size())});
  bool lost = false;
  for (const NodeDigests& node : co_await gather(std::move(requests))) {
    if (!node.counts) {
      lost = lose(node.node, node.counts.error());
      continue;
    }
    auto next = node.counts->begin();
    bool agree = true;
    for (std::size_t q = 0; q < questions.size(); ++q) {
      for (std::size_t r = 0; r < questions[q].size(); ++r, ++next) {
        answers[q].groups[group_of[node.node]] += *next;
        agree = agree && positions_agree(*next);
      }
    }
    if (!agree) {
      report_.problems.push_back(
          "node " + node.node +
          ": some documents carry a digest that is none of Miroir's; a deep pass names them");
    }
  }
  if (tools_.stopping()) co_return std::unexpected(cut_off());
  if (lost) co_return std::nullopt;
  co_return answers;
}

Async<Result<LightComparison::Progress>> LightComparison::descend_if_it_lasts(
    const Roster::Part& part) {
  std::optional<UnequalSymbols> unequal;
  for (int look = 0; look < kLooks; ++look) {
    const Position fence = tools_.log.head();
    for (std::size_t g = 0; look > 0 && g < part.groups.size(); ++g) {
      for (const std::string& node : owners_in(part, part.groups[g])) {
        if (co_await wait_done(tools_, node, fence, kCatchUpTimeout)) continue;
        if (tools_.stopping()) co_return std::unexpected(cut_off());
        roster_.lose(node, "has not applied what was written before it was asked");
        co_return Progress::kLost;
      }
    }
    MIROIR_CO_TRY(const auto answers, co_await ask(part, {part.slots}));
    if (!answers) co_return Progress::kLost;
    const UnequalSymbols now = unequal_symbols(answers->front().groups);
    const bool still = look > 0 && tools_.log.head() == fence;  // nothing moved meanwhile
    unequal = unequal && !still ? lasting(*unequal, now) : now;
    if (unequal->none()) co_return Progress::kDone;
    if (still) break;
  }
  co_return co_await descend(part, {part.slots});
}

Async<Result<LightComparison::Progress>> LightComparison::descend(
    const Roster::Part& part, std::vector<SlotRanges> questions) {
  MIROIR_CO_TRY(auto answers, co_await ask(part, questions));
  if (!answers) co_return Progress::kLost;
  for (std::size_t q = 0; q < questions.size(); ++q) {
    const std::vector<DigestCounts>& groups = (*answers)[q].groups;
    UnequalSymbols unequal = unequal_symbols(groups);
    Progress progress = Progress::kDone;
    switch (next_question(unequal, groups, size(questions[q]), bounds_)) {
      case NextQuestion::kNone:
        continue;
      case NextQuestion::kFetch: {
        MIROIR_CO_TRY(progress, co_await fetch(part, questions[q], groups, std::move(unequal)));
        break;
      }
      case NextQuestion::kSplit: {
        MIROIR_CO_TRY(progress, co_await descend(part, split(questions[q], bounds_.parts)));
        break;
      }
    }
    if (progress == Progress::kLost) co_return progress;
  }
  co_return Progress::kDone;
}

Async<std::optional<std::vector<DocumentCopy>>> LightComparison::read_stamps(std::string node,
                                                                             DocumentQuery query,
                                                                             std::size_t most) {
  auto permit = co_await tools_.reads.acquire();
  query.index_uid = index_.uid;
  query.fields = {index_.primary_key, tools_.options.names.updated_at};
  query.limit = kStampsPerRequest;
  auto page =
      co_await tools_.cluster.client(node).documents(query, tools_.clock.now() + kReadTimeout);
  const auto wanted = [&] { return std::min<std::uint64_t>(page->total, most); };
  while (page && page->documents.size() < wanted() && page->documents.size() == query.limit) {
    // A page is a snapshot: only a limit above its size reads all.
    query.limit = std::min<std::uint64_t>(page->total * 2, most);
    page = co_await tools_.cluster.client(node).documents(query, tools_.clock.now() + kReadTimeout);
  }
  if (page && page->documents.size() < wanted()) {
    page = fail(ErrorCode::kCorrupt, "answered fewer documents than it says match");
  }
  if (!page) {
    lose(node, page.error());
    co_return std::nullopt;
  }
  std::vector<DocumentCopy> copies;
  for (std::string& text : page->documents) {
    tools_.instruments.light_bytes.increment(static_cast<double>(text.size()));
    auto copy = parse_copy(std::move(text), index_.primary_key, tools_.options.names);
    if (!copy) {
      lose(node, copy.error());
      co_return std::nullopt;
    }
    copies.push_back(std::move(*copy));
  }
  co_return copies;
}

Async<Result<LightComparison::Progress>> LightComparison::fetch(const Roster::Part& part,
                                                                SlotRanges slots,
                                                                std::vector<DigestCounts> groups,
                                                                UnequalSymbols unequal) {
  Holdings seen;
  for (std::size_t g = 0; g < part.groups.size(); ++g) {
    for (const std::string& node : owners_in(part, part.groups[g])) {
      if (!roster_.readable(node)) co_return Progress::kLost;
      DocumentQuery query;
      if (size(slots) < 0x10000) query.slots = slots;
      query.symbols = unequal.symbols;
      auto copies = co_await read_stamps(node, std::move(query));
      if (!copies) co_return Progress::kLost;
      for (const DocumentCopy& copy : *copies) {
        auto& stamps = seen[copy.id];
        stamps.resize(part.groups.size());
        stamps[g].insert(copy.stored.stamp);
      }
    }
  }
  std::erase_if(seen, [](const auto& document) { return alike(document.second); });
  if (tools_.stopping()) co_return std::unexpected(cut_off());
  // Symbols of other broken documents cancel, or all was written meanwhile.
  if (!unequal.none() && !explained(groups, count(seen, groups.size()))) {
    const bool few = std::ranges::all_of(
        groups, [&](const DigestCounts& counts) { return counts.documents() <= bounds_.all_max; });
    if (few || size(slots) == 1)
      co_return co_await fetch(part, std::move(slots), std::move(groups), UnequalSymbols{});
    co_return co_await descend(part, split(slots, bounds_.parts));
  }
  std::vector<std::string> ids;
  for (const auto& [id, stamps] : seen) ids.push_back(id);
  MIROIR_CO_CHECK(co_await resolver_.add(std::move(ids)));
  co_return Progress::kDone;
}

}  // namespace miroir::anti_entropy
