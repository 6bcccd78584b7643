#include "anti_entropy/scan.h"

#include <algorithm>
#include <set>

namespace miroir::anti_entropy {
namespace {

constexpr std::size_t kRangesPerPage = 64;
constexpr std::uint64_t kPortionDocuments = 10'000;  // whose ids are held while they are read again
constexpr std::size_t kUnplacedMax = 10'000;         // whose ids a node's scan of some shards holds

// How many slots the next page takes: as many as held about `kPageBytes` and `documents` last time.
class PageSize {
 public:
  explicit PageSize(std::size_t documents) : documents_(documents) {}
  std::uint32_t slots() const { return slots_; }
  std::size_t limit() const { return documents_ * 4; }

  // After a page of so many slots.
  void adapt(std::uint32_t slots, std::uint64_t documents, std::uint64_t bytes) {
    const double fill =
        std::max({static_cast<double>(bytes) / static_cast<double>(kPageBytes),
                  static_cast<double>(documents) / static_cast<double>(documents_), 0.25});
    slots_ = static_cast<std::uint32_t>(std::clamp(slots / fill, 1.0, 65'536.0));
  }
  void halve(std::uint32_t slots) { slots_ = std::max(1U, slots / 2); }

 private:
  std::size_t documents_;
  std::uint32_t slots_ = 256;
};

bool suspect(const DocumentCopy& document, const Hash128& content) {
  Copy copy;
  copy.presence = Presence::kPresent;
  copy.stored = document.stored;
  copy.content = content;
  return !document.stored.stamp || copy.contradicts_itself(document.id);
}

}  // namespace

DeepComparison::DeepComparison(const Tools& tools, IndexUnderTest index, Roster& roster,
                               Resolver& resolver, IndexReport& report)
    : tools_(tools),
      index_(std::move(index)),
      roster_(roster),
      resolver_(resolver),
      report_(report),
      census_(tools, index_, roster, report) {}

Async<Result<bool>> DeepComparison::read_all(std::string node, SlotRanges slots, EachCopy each) {
  PageSize page_size(tools_.options.fingerprint_batch_size);
  std::size_t limit = page_size.limit();
  SlotRanges asked = portion(slots, 0, page_size.slots(), kRangesPerPage);
  while (!asked.empty()) {
    if (tools_.stopping()) co_return std::unexpected(cut_off());
    DocumentQuery query;
    query.index_uid = index_.uid;
    query.slots = asked;
    query.limit = limit;
    std::optional<Semaphore::Permit> permit = co_await tools_.reads.acquire();
    const Instant began = tools_.clock.now();
    auto page =
        co_await tools_.cluster.client(node).documents(std::move(query), began + kReadTimeout);
    const Microseconds took = tools_.clock.now() - began;
    permit.reset();
    if (page && page->documents.size() < std::min<std::uint64_t>(page->total, limit)) {
      page = fail(ErrorCode::kCorrupt, "answered fewer documents than it says match");
    }
    if (page && page->documents.size() < page->total) {
      // More than fits: fewer slots, or, for a single slot, a larger page.
      if (size(asked) == 1) limit = page->total * 2;
      page_size.halve(size(asked));
      asked = portion(slots, asked.front().first, page_size.slots(), kRangesPerPage);
      continue;
    }
    std::uint64_t bytes = 0;
    for (std::size_t i = 0; page && i < page->documents.size(); ++i) {
      std::string& text = page->documents[i];
      bytes += text.size();
      auto copy = parse_copy(std::move(text), index_.primary_key, tools_.options.names);
      auto content = copy ? content_of(copy->text, tools_.options.names)
                          : Result<Hash128>(std::unexpected(copy.error()));
      if (!content) {
        page = std::unexpected(content.error());
        break;
      }
      MIROIR_CO_CHECK(each(std::move(*copy), *content));
    }
    if (!page) {
      roster_.lose(node, page.error().message);
      co_return false;
    }
    tools_.instruments.deep_bytes.increment(static_cast<double>(bytes));
    page_size.adapt(size(asked), page->documents.size(), bytes);
    limit = page_size.limit();
    asked = portion(slots, asked.back().last + 1U, page_size.slots(), kRangesPerPage);
    const Microseconds rest = tools_.throttles.of(node, index_.incarnation).after(took, bytes);
    if (rest > Microseconds::zero()) co_await tools_.clock.sleep_for(rest);
  }
  co_return true;
}

Async<Result<std::optional<ReplicaScan>>> DeepComparison::scan(std::string node,
                                                               std::vector<ShardId> shards) {
  const Topology& topology = tools_.cluster.topology();
  ReplicaScan scan;
  SlotRanges slots;
  for (ShardId shard : shards) {
    const SlotRange its = topology.slots_of(shard);
    if (!topology.owns(node, its.first)) continue;
    scan.trees.emplace(shard, MerkleTree(its));
    if (!slots.empty() && slots.back().last + 1 == its.first) {
      slots.back().last = its.last;
    } else {
      slots.push_back(its);
    }
  }
  auto fold = [&](DocumentCopy document, const Hash128& content) -> Result<void> {
    ++scan.documents;
    if (!document.stored.slot) {
      if (scan.unplaced.size() <= kUnplacedMax) scan.unplaced.insert(std::move(document.id));
      return {};
    }
    // By the slot it was found in; where that is not its own it is a suspect.
    const Slot slot = *document.stored.slot;
    if (auto tree = scan.trees.find(topology.shard_of(slot)); tree != scan.trees.end()) {
      tree->second.add(slot, fingerprint(document.id, content, document.stored));
      if (suspect(document, content)) tree->second.doubt(slot);
    }
    return {};
  };
  MIROIR_CO_TRY(const bool read, co_await read_all(node, std::move(slots), fold));
  if (!read) co_return std::nullopt;
  co_return scan;
}

Async<Result<void>> DeepComparison::compare(ShardId shard, SlotRanges slots) {
  std::map<std::string, std::multiset<Hash128>> seen;  // id → fingerprints
  std::set<std::string> suspects;
  std::size_t replicas = 0;
  for (const std::string& owner : tools_.cluster.topology().owners(shard)) {
    if (!roster_.readable(owner)) continue;
    auto note = [&](DocumentCopy copy, const Hash128& content) -> Result<void> {
      seen[copy.id].insert(fingerprint(copy.id, content, copy.stored));
      if (suspect(copy, content)) suspects.insert(copy.id);
      return {};
    };
    MIROIR_CO_TRY(const bool read, co_await read_all(owner, slots, note));
    replicas += read ? 1 : 0;
  }
  std::vector<std::string> ids;
  for (const auto& [id, prints] : seen) {
    if (prints.size() != replicas || *prints.begin() != *prints.rbegin() || suspects.contains(id))
      ids.push_back(id);
  }
  co_return co_await resolver_.add(std::move(ids));
}

Async<Result<void>> DeepComparison::run(std::vector<ShardId> shards) {
  std::vector<std::string> nodes = roster_.readable_nodes();
  std::vector<Async<Result<std::optional<ReplicaScan>>>> running;
  for (const std::string& node : nodes) running.push_back(scan(node, shards));
  auto results = co_await gather(std::move(running));

  std::map<std::string, ReplicaScan> scans;
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    MIROIR_CO_TRY(auto scan, std::move(results[i]));
    if (!scan) continue;
    census_.saw(nodes[i], scan->documents);
    if (scan->unplaced.size() > kUnplacedMax)
      report_.add_problem_of(nodes[i],
                             "node " + nodes[i] + ": more than " + std::to_string(kUnplacedMax) +
                                 " documents lie in no slot; the next pass looks at the rest");
    MIROIR_CO_CHECK(co_await resolver_.add({scan->unplaced.begin(), scan->unplaced.end()}));
    scans.emplace(nodes[i], std::move(*scan));
  }
  // Where copies moved meanwhile the second reading finds them equal, or settling leaves them out.
  for (ShardId shard : shards) {
    std::vector<const MerkleTree*> trees;
    for (const std::string& owner : tools_.cluster.topology().owners(shard)) {
      if (auto scan = scans.find(owner); scan != scans.end())
        trees.push_back(&scan->second.trees.at(shard));
    }
    for (SlotRanges& portion : unequal_slots(trees, kPortionDocuments)) {
      MIROIR_CO_CHECK(co_await compare(shard, std::move(portion)));
    }
  }
  MIROIR_CO_CHECK(co_await resolver_.flush());
  MIROIR_CO_CHECK(unchanged(tools_.log.catalogue(), index_));
  co_return Result<void>{};
}

}  // namespace miroir::anti_entropy
