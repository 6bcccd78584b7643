#include "sim/draw_request.h"

#include <fmt/format.h>

namespace miroir::sim {
namespace {

char draw_class(Random& random) { return "wmf"[random.below(3)]; }

Act draw_act(Random& random) {
  const std::uint64_t dice = random.below(106);
  if (dice < 42) return Act::kReplace;
  if (dice < 62) return Act::kMerge;
  if (dice < 74) return Act::kDelete;
  if (dice < 82) return Act::kDeleteBatch;
  if (dice < 89) return Act::kDeleteFilter;
  if (dice < 91) return Act::kClear;
  if (dice < 93) return Act::kCreate;
  if (dice < 95) return Act::kDrop;
  if (dice < 96) return Act::kSwap;
  if (dice < 100) return Act::kSettings;
  if (dice < 103) return Act::kCreateKey;
  return dice < 105 ? Act::kRenameKey : Act::kDeleteKey;
}

// A uid is made once: by the request of that number.
std::string key_uid(int number) { return fmt::format("00000000-0000-4000-8000-{:012}", number); }

}  // namespace

std::string draw_id(Random& random, char kind) {
  return kind + std::to_string(random.below(kIdsOfAClass));
}

std::string draw_index(Random& random) { return random.chance(0.8) ? "books" : "films"; }

Microseconds between(Random& random, Microseconds low, Microseconds high) {
  return low + Microseconds(random.below(static_cast<std::uint64_t>((high - low).count()) + 1));
}

Request draw_request(Random& random, int number, std::vector<std::string>& keys) {
  Request request;
  request.act = draw_act(random);
  if (is_key_act(request.act)) {
    if (keys.empty()) request.act = Act::kCreateKey;
    if (request.act == Act::kCreateKey) keys.push_back(key_uid(number));
    request.ids = {request.act == Act::kCreateKey ? keys.back() : keys[random.below(keys.size())]};
    if (request.act != Act::kDeleteKey) request.value = "u" + std::to_string(number);
    return request;
  }
  request.index = draw_index(random);
  request.value = "u" + std::to_string(number);
  const auto add = [&](std::string id) {
    if (std::ranges::find(request.ids, id) == request.ids.end()) request.ids.push_back(id);
  };
  const int wanted = 1 + static_cast<int>(random.below(5));
  for (int i = 0; i < wanted; ++i) {
    switch (request.act) {
      case Act::kReplace:
      case Act::kDeleteBatch:
        add(draw_id(random, draw_class(random)));
        break;
      case Act::kMerge:
        add(draw_id(random, 'm'));
        break;
      case Act::kDelete:
        if (request.ids.empty()) add(draw_id(random, draw_class(random)));
        break;
      default:
        break;
    }
  }
  if (request.act == Act::kDeleteFilter) request.value = "t" + std::to_string(random.below(kTags));
  return request;
}

}  // namespace miroir::sim
