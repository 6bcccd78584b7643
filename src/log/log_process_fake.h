#pragma once

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/assert.h"
#include "base/metrics.h"
#include "base/simulated_clock_fake.h"
#include "log/log.h"
#include "store/memory_store_fake.h"

namespace miroir {

// A process that has the log open: destroyed, it is as if it had been killed.
class LogProcess {
 public:
  LogProcess(Store& store, Clock& clock, LogOptions options = {});
  ~LogProcess();

  template <class T>
  T run(Async<T> coroutine) {
    std::optional<T> result;
    boost::asio::co_spawn(*io_, std::move(coroutine), [&](std::exception_ptr error, T value) {
      if (error) std::rethrow_exception(error);
      result = std::move(value);
    });
    while (!result) {
      io_->restart();
      MIROIR_ASSERT(io_->run_one() > 0);
    }
    return std::move(*result);
  }

  Log& log() { return *log_; }
  boost::asio::io_context& io() { return *io_; }
  Metrics& metrics() { return metrics_; }

  Result<std::vector<Entry>> append(std::vector<Entry> entries);
  Body write_body(std::vector<BodyRecord> records);
  // All that is in it has ended for its clients.
  void settle();
  // An index with that uid; returns its incarnation.
  Position create(const std::string& uid);
  // A write, merge or delete of these documents.
  Entry documents(EntryKind kind, const std::string& uid, const std::vector<std::string>& ids);
  Position append_documents(EntryKind kind, const std::string& uid,
                            const std::vector<std::string>& ids);

 private:
  Metrics metrics_;
  std::unique_ptr<boost::asio::io_context> io_;
  std::unique_ptr<Log> log_;
};

// An entry that only says what it is.
Entry plain_entry(EntryKind kind, const std::string& uid, Json arguments = {});
// Everything that the catalogue says.
std::string describe(const Catalogue& catalogue);

}  // namespace miroir
