#pragma once

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/this_coro.hpp>
#include <optional>
#include <utility>
#include <vector>

#include "base/async.h"

namespace miroir {

template <class T>
Async<std::vector<T>> gather(std::vector<Async<T>> coroutines) {
  const Executor executor = co_await boost::asio::this_coro::executor;
  // Shared, so that a parent that is cancelled leaves nothing dangling behind.
  auto results = std::make_shared<std::vector<std::optional<T>>>(coroutines.size());
  TaskGroup group(executor);
  for (std::size_t i = 0; i < coroutines.size(); ++i) {
    group.spawn("gather",
                [](Async<T> coroutine, std::shared_ptr<std::vector<std::optional<T>>> out,
                   std::size_t index) -> Async<void> {
                  (*out)[index] = co_await std::move(coroutine);
                }(std::move(coroutines[i]), results, i));
  }
  co_await group.join();
  std::vector<T> values;
  values.reserve(results->size());
  for (auto& result : *results) values.push_back(std::move(*result));
  co_return values;
}

}  // namespace miroir
