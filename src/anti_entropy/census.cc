#include "anti_entropy/census.h"

#include <algorithm>

#include "cluster/history.h"

namespace miroir::anti_entropy {

Census::Census(const Tools& tools, IndexUnderTest index, Roster& roster, IndexReport& report)
    : tools_(tools), index_(std::move(index)), roster_(roster), report_(report) {}

Async<Result<Census::Answer>> Census::ask_node(std::string node) {
  auto permit = co_await tools_.reads.acquire();
  NodeClient& client = tools_.cluster.client(node);
  Answer answer;
  answer.node = node;
  answer.setbacks = tools_.cluster.status(node).setbacks;
  MIROIR_CO_TRY(NodeIndex index,
                co_await client.index(index_.uid, tools_.clock.now() + kReadTimeout));
  answer.created_at = std::move(index.created_at);
  DocumentQuery all;
  all.index_uid = index_.uid;
  all.fields = {index_.primary_key};
  all.limit = 0;
  MIROIR_CO_TRY(const DocumentPage page,
                co_await client.documents(std::move(all), tools_.clock.now() + kReadTimeout));
  answer.documents = page.total;
  co_return answer;
}

Async<std::vector<Census::Answer>> Census::ask() {
  const std::vector<std::string> nodes = roster_.readable_nodes();
  std::vector<Async<Result<Answer>>> questions;
  for (const std::string& node : nodes) questions.push_back(ask_node(node));
  auto results = co_await gather(std::move(questions));
  std::vector<Answer> answers;
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    if (results[i]) {
      answers.push_back(std::move(*results[i]));
    } else {
      roster_.lose(nodes[i], results[i].error().message);
    }
  }
  co_return answers;
}

Async<Result<void>> Census::begin() {
  MIROIR_CO_TRY(const IndexState* index, unchanged(tools_.log.catalogue(), index_));
  updated_at_ = index->updated_at;
  repaired_ = report_.repaired;
  const Position fence = tools_.log.head();
  for (const std::string& node : roster_.readable_nodes()) {
    if (co_await wait_done(tools_, node, fence, kCatchUpTimeout)) continue;
    if (tools_.stopping()) co_return std::unexpected(cut_off());
    roster_.lose(node, "has not applied what was written before its documents were to be read");
  }
  for (Answer& answer : co_await ask()) before_.emplace(answer.node, std::move(answer));
  co_return Result<void>{};
}

Async<Result<void>> Census::end(std::vector<ShardId> shards) {
  std::vector<Answer> after = co_await ask();
  if (tools_.stopping()) co_return std::unexpected(cut_off());
  MIROIR_CO_TRY(const IndexState* index, unchanged(tools_.log.catalogue(), index_));
  const bool untouched =
      index->updated_at == updated_at_ && report_.repaired == repaired_ && report_.unresolved == 0;
  for (const Answer& answer : after) {
    const auto before = before_.find(answer.node);
    if (before == before_.end()) continue;
    if (const std::string why = co_await exchanged(before->second, answer); !why.empty()) {
      roster_.lose(answer.node, why);
      continue;
    }
    const std::uint64_t seen = seen_[answer.node];
    const bool all_read = std::ranges::all_of(
        tools_.cluster.topology().shards_of(answer.node),
        [&](ShardId shard) { return std::ranges::binary_search(shards, shard); });
    const bool comparable = untouched && before->second.documents == answer.documents && all_read;
    if (!comparable || seen == answer.documents) continue;
    report_.add_problem_of(answer.node, "node " + answer.node + ": it holds " +
                                            std::to_string(answer.documents) +
                                            " documents, and shows " + std::to_string(seen) +
                                            " when it is asked for them by slot");
  }
  co_return Result<void>{};
}

Async<std::string> Census::exchanged(Answer before, Answer after) {
  auto history = co_await tools_.forwarders.recheck(after.node, tools_.clock.now() + kReadTimeout);
  if (!history) co_return history.error().message;
  if (history->verdict != History::Verdict::kOurs)
    co_return "its history is not the log's: " + history->why;
  if (before.setbacks != after.setbacks) co_return "it fell back while its documents were read";
  if (before.created_at != after.created_at)
    co_return "the index was exchanged for another while its documents were read";
  co_return "";
}

}  // namespace miroir::anti_entropy
