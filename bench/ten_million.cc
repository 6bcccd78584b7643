// What a deep pass over many documents needs: ./dev build release ten_million, then
// build/release/bench/ten_million [DOCUMENTS]. Three replicas, one node each, in 64 shards. The
// documents are made when they are asked for and are equal but for a few, which the pass must find
// and repair. Prints peak memory and time; the status is 0 only if it found exactly those, in no
// more than 128 MiB.
#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <set>

#include "anti_entropy/reconciler.h"
#include "base/content_hash.h"
#include "forward/forward_world_fake.h"
#include "node_api/simulated_reads_fake.h"

namespace miroir {
namespace {

const std::string kIndex = "generated";
constexpr double kMebibytesMax = 128;  // of the whole process, at its highest
constexpr const char* kPadding =
    "Lorem ipsum dolor sit amet, consetetur sadipscing elitr, sed diam nonumy eirmod tempor "
    "invidunt ut labore et dolore magna aliquyam erat, sed diam voluptua.";

double mebibytes(const std::string& name) {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with(name + ":")) return std::atof(line.c_str() + name.size() + 1) / 1024;
  }
  return 0;
}

// Documents by number, found by slot. The table of numbers is the only thing that grows with them:
// four bytes each.
class Documents {
 public:
  explicit Documents(std::uint32_t count) : numbers_(count), first_(0x10001) {
    for (std::uint32_t n = 0; n < count; ++n) ++first_[slot_of(id(n)) + std::size_t{1}];
    for (std::size_t slot = 0; slot < 0x10000; ++slot) first_[slot + 1] += first_[slot];
    std::vector<std::uint32_t> next(first_.begin(), first_.end() - 1);
    for (std::uint32_t n = 0; n < count; ++n) numbers_[next[slot_of(id(n))]++] = n;
  }

  static std::string id(std::uint32_t number) { return fmt::format("d{:08}", number); }
  std::optional<std::uint32_t> number(const std::string& id) const {
    if (id.size() != 9 || id[0] != 'd') return std::nullopt;
    const auto number = static_cast<std::uint32_t>(std::atoll(id.c_str() + 1));
    return number < numbers_.size() ? std::optional(number) : std::nullopt;
  }
  void born(Stamp stamp) { born_ = stamp; }
  Stamp stamp(std::uint32_t number) const { return born_ + 1 + number; }

  std::string text(std::uint32_t number) const {
    const std::string name = id(number);
    const std::string bare = fmt::format(
        R"({{"id":"{}","title":"Document number {}","number":{},"ratio":{}.25,"text":"{}"}})", name,
        number, number, number % 1'000, kPadding);
    const auto content = content_hash(bare, DecimalReading::kNode, [](auto) { return false; });
    std::string text;
    append_stored(text, bare,
                  fields_of_whole_write(name, stamp(number), checksum_of(*content), FieldNames{}),
                  FieldNames{});
    return text;
  }

  template <class Each>
  void each_in(const SlotRange& range, Each each) const {
    for (std::uint32_t i = first_[range.first]; i < first_[range.last + std::size_t{1}]; ++i)
      each(numbers_[i]);
  }

 private:
  std::vector<std::uint32_t> numbers_;  // by slot
  std::vector<std::uint32_t> first_;    // of each slot, in numbers_
  Stamp born_ = 0;
};

// The nodes: what each holds itself (what was damaged, and what repairs wrote), and beside that the
// generated documents, but for those that it is to lack.
class Replicas {
 public:
  Replicas(ForwardWorld& world, const Documents& documents) : world_(world), documents_(documents) {
    world.answer_documents = [this](const std::string& node, const DocumentQuery& query) {
      return answer(node, query);
    };
    world.answer_digests = [this](const std::string& node, const std::string&,
                                  const std::vector<SlotRange>& ranges) {
      return count(node, ranges);
    };
  }

  void lose(const std::string& node, std::uint32_t number) { lacks_[node].insert(number); }
  void replace(const std::string& node, std::uint32_t number, const std::string& text) {
    lose(node, number);
    world_.nodes.at(node)->write_directly(kIndex, Documents::id(number), *parse_json(text));
  }

 private:
  Result<DocumentPage> answer(const std::string& node, const DocumentQuery& query) {
    MIROIR_TRY(DocumentPage page, simulated_documents(*world_.nodes.at(node), query));
    const auto add = [&](std::uint32_t number) {
      if (lacks_[node].contains(number) || !has_symbols(number, query)) return;
      ++page.total;
      if (page.documents.size() < query.limit) page.documents.push_back(documents_.text(number));
    };
    if (query.unmarked) return page;
    for (const std::string& id : query.ids) {
      if (const auto number = documents_.number(id)) add(*number);
    }
    if (!query.ids.empty()) return page;
    const std::vector<SlotRange> everywhere{SlotRange{}};
    for (const SlotRange& range : query.slots.empty() ? everywhere : query.slots)
      documents_.each_in(range, add);
    return page;
  }

  bool has_symbols(std::uint32_t number, const DocumentQuery& query) const {
    if (std::ranges::all_of(query.symbols, [](const auto& its) { return its.empty(); }))
      return true;
    const DigestSymbols digest = digest_of(Documents::id(number), documents_.stamp(number));
    for (std::size_t i = 0; i < digest.size(); ++i) {
      const auto& wanted = query.symbols[i];
      if (!wanted.empty() && std::ranges::find(wanted, digest[i]) == wanted.end()) return false;
    }
    return true;
  }

  Result<std::vector<DigestCounts>> count(const std::string& node,
                                          const std::vector<SlotRange>& ranges) {
    MIROIR_TRY(auto digests, simulated_digests(*world_.nodes.at(node), kIndex, ranges));
    for (std::size_t i = 0; i < ranges.size(); ++i) {
      documents_.each_in(ranges[i], [&](std::uint32_t number) {
        if (lacks_[node].contains(number)) return;
        const DigestSymbols digest = digest_of(Documents::id(number), documents_.stamp(number));
        for (std::size_t at = 0; at < digest.size(); ++at) ++digests[i].counts[at][digest[at]];
      });
    }
    return digests;
  }

  ForwardWorld& world_;
  const Documents& documents_;
  std::map<std::string, std::set<std::uint32_t>> lacks_;
};

void set_settings(ForwardWorld& world) {
  Entry entry;
  entry.kind = EntryKind::kUpdateSettings;
  entry.index_uid = kIndex;
  entry.arguments =
      Json::object({{"clientSettings", Json::object()}, {"settings", Json::object()}});
  world.append(std::move(entry));
}

// Lost, stale and corrupt ones; their ids.
std::set<std::string> damage(Replicas& replicas, const Documents& documents, std::uint32_t count) {
  std::set<std::string> damaged;
  for (std::uint32_t i = 0; i < 12; ++i) {
    const std::uint32_t number = count / 13 * (i + 1);
    const std::string node = std::string(1, static_cast<char>('a' + i % 3)) + "0";
    damaged.insert(Documents::id(number));
    std::string text = documents.text(number);
    if (i % 2 == 0) {
      replicas.lose(node, number);
    } else {
      text.replace(text.find("Lorem"), 5, "Morel");
      replicas.replace(node, number, text);
    }
  }
  return damaged;
}

int run(std::uint32_t count) {
  const SystemClock watch;
  Documents documents(count);
  ForwardWorld::Options options;
  options.groups = 3;
  options.nodes_per_group = 1;
  options.shards = 64;
  ForwardWorld world(1, options);
  world.start();
  world.create_index(kIndex);
  world.run_for(std::chrono::hours(24));  // in which the documents were written
  set_settings(world);
  world.run_until([&] { return world.all_done(); });
  documents.born(world.log().catalogue().index(kIndex)->born);
  Replicas replicas(world, documents);
  const std::set<std::string> damaged = damage(replicas, documents, count);

  AntiEntropyOptions chosen;
  chosen.light_interval = chosen.schedule = std::chrono::hours(10'000);
  Random random(2);
  const Executor executor = world.process->io->get_executor();
  Reconciler reconciler(world.log(), world.store, world.cluster(), *world.process->forwarders,
                        world.clock, random, world.process->metrics, executor, chosen);
  TaskGroup tasks(executor);
  tasks.spawn("reconciler", reconciler.run());
  world.run_for(Milliseconds(10));

  const double before = mebibytes("VmRSS");
  const Instant began = watch.now();
  const auto report = world.await(reconciler.pass(PassKind::kDeep, std::nullopt));
  const double seconds = std::chrono::duration<double>(watch.now() - began).count();
  std::set<std::string> repaired;
  const auto rows = world.await(reconciler.repairs(std::nullopt, 1'000));
  for (const Json& row : rows->find("results")->as_array()) {
    if (*row.find("repaired") == Json(true)) repaired.insert(row.find("id")->as_string());
  }
  const double bytes =
      world.process->metrics
          .counter("miroir_antientropy_scanned_bytes_total", "", {{"tier", "deep"}})
          .value();
  const double highest = mebibytes("VmHWM");
  const bool small = highest > 0 && highest <= kMebibytesMax;
  const bool right = report && *report->find("clean") == Json(true) && repaired == damaged;
  fmt::print(
      "{} documents on each of 3 replicas, {:.1f} GB read and hashed in {:.0f} s\n"
      "{} of {} damaged documents found and repaired, nothing else: {}\n"
      "memory: {:.0f} MiB before the pass ({:.0f} of them say which documents there are), at most "
      "{:.0f} MiB, of {:.0f} that it may take: {}\n",
      count, bytes / 1e9, seconds, repaired.size(), damaged.size(), right ? "yes" : "NO", before,
      4.0 * count / (1 << 20), highest, kMebibytesMax, small ? "yes" : "NO");
  if (report && !right) fmt::print("{}\n", to_text(*report));
  world.await([](Reconciler& its, TaskGroup& group) -> Async<bool> {
    co_await its.stop();
    co_await group.join();
    co_return true;
  }(reconciler, tasks));
  return right && small ? 0 : 1;
}

}  // namespace
}  // namespace miroir

int main(int count, char** arguments) {
  return miroir::run(count > 1 ? static_cast<std::uint32_t>(std::atoll(arguments[1])) : 10'000'000);
}
