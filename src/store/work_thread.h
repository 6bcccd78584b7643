#pragma once

#include <boost/asio/associated_executor.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

#include "base/async.h"

namespace miroir {

// A thread that takes all jobs that wait, hands them to `work` in order, and ends when it is
// destroyed, after the last job.
template <class Job>
class WorkThread {
 public:
  using Work = std::function<void(std::vector<Job>)>;
  explicit WorkThread(Work work) : work_(std::move(work)), thread_([this] { run(); }) {}
  ~WorkThread() {
    {
      const std::lock_guard lock(mutex_);
      stopping_ = true;
    }
    woken_.notify_one();
    thread_.join();
  }
  WorkThread(const WorkThread&) = delete;
  WorkThread& operator=(const WorkThread&) = delete;

  void add(Job job) {
    {
      const std::lock_guard lock(mutex_);
      waiting_.push_back(std::move(job));
    }
    woken_.notify_one();
  }

 private:
  void run() {
    std::unique_lock lock(mutex_);
    while (true) {
      woken_.wait(lock, [this] { return stopping_ || !waiting_.empty(); });
      if (waiting_.empty()) return;
      std::vector<Job> jobs = std::exchange(waiting_, {});
      lock.unlock();
      work_(std::move(jobs));
      lock.lock();
    }
  }

  Work work_;
  std::mutex mutex_;
  std::condition_variable woken_;
  std::vector<Job> waiting_;
  bool stopping_ = false;
  std::thread thread_;  // last: it uses all of the above
};

// Suspends the caller until another thread calls what `start` is given with the result; the caller
// goes on on its own executor, which is kept running meanwhile.
template <class T, class Start>
Async<T> await_from_thread(Start start) {
  namespace asio = boost::asio;
  auto initiate = [&start](auto handler) {
    using Handler = decltype(handler);
    auto executor = asio::get_associated_executor(handler);
    struct Waiting {
      Handler handler;
      asio::executor_work_guard<decltype(executor)> work;
    };
    auto waiting =
        std::make_shared<Waiting>(Waiting{std::move(handler), asio::make_work_guard(executor)});
    start([waiting = std::move(waiting)](T result) mutable {
      auto own = std::move(waiting);
      // Held until this thread has left the io_context, which may end with what the caller does.
      const auto posting = std::make_shared<std::mutex>();
      const std::lock_guard held(*posting);
      const auto where = own->work.get_executor();
      asio::post(where, [own = std::move(own), result = std::move(result), posting]() mutable {
        {
          const std::lock_guard left(*posting);
        }
        // The guard goes with the last reference, once the handler has run.
        auto resume = std::move(own->handler);
        std::move(resume)(std::move(result));
      });
    });
  };
  co_return co_await asio::async_initiate<const asio::use_awaitable_t<>&, void(T)>(
      initiate, asio::use_awaitable);
}

}  // namespace miroir
