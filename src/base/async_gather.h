#pragma once

#include <boost/asio/this_coro.hpp>
#include <optional>
#include <utility>
#include <vector>

#include "base/async.h"

namespace miroir {

namespace detail {
template <class T>
Async<void> keep_result(Async<T> coroutine, std::optional<T>* result) {
  *result = co_await std::move(coroutine);
}
}  // namespace detail

template <class T>
Async<std::vector<T>> gather(std::vector<Async<T>> coroutines) {
  const Executor executor = co_await boost::asio::this_coro::executor;
  std::vector<std::optional<T>> results(coroutines.size());
  TaskGroup group(executor);
  for (std::size_t i = 0; i < coroutines.size(); ++i) {
    group.spawn("gather", detail::keep_result(std::move(coroutines[i]), &results[i]));
  }
  co_await group.join();
  std::vector<T> values;
  values.reserve(results.size());
  for (auto& result : results) values.push_back(std::move(*result));
  co_return values;
}

}  // namespace miroir
