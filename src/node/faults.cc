#include "node/faults.h"

#include <array>
#include <string>

#include "meili/parameters.h"

namespace miroir::node {

std::expected<void, meili::ApiError> Faults::set(const Json& body) {
  const auto allowed = {std::string_view("failTasks"), std::string_view("delayMs"),
                        std::string_view("dropAnswers"), std::string_view("cutConnections"),
                        std::string_view("diskFull")};
  if (auto error = meili::check_fields(body, allowed)) return std::unexpected(std::move(*error));
  const std::array<std::pair<std::string_view, std::atomic<std::uint64_t>*>, 4> counters = {
      {{"failTasks", &fail_tasks},
       {"delayMs", &delay_ms},
       {"dropAnswers", &drop_answers},
       {"cutConnections", &cut_connections}}};
  for (const auto& [name, counter] : counters) {
    const auto value = meili::unsigned_field(body, name, counter->load(), "bad_request");
    if (!value) return std::unexpected(value.error());
    counter->store(*value);
  }
  const auto full = meili::boolean_field(body, "diskFull", disk_full.load(), "bad_request");
  if (!full) return std::unexpected(full.error());
  disk_full.store(*full);
  return {};
}

Json Faults::to_json() const {
  return Json::object({{"failTasks", fail_tasks.load()},
                       {"delayMs", delay_ms.load()},
                       {"dropAnswers", drop_answers.load()},
                       {"cutConnections", cut_connections.load()},
                       {"diskFull", disk_full.load()}});
}

bool Faults::take(std::atomic<std::uint64_t>& counter) {
  std::uint64_t left = counter.load();
  while (left > 0) {
    if (counter.compare_exchange_weak(left, left - 1)) return true;
  }
  return false;
}

}  // namespace miroir::node
