#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "log/log_process_fake.h"

namespace miroir {

// A process that can be killed and started again on its store.
class LogProcessTest : public testing::Test {
 protected:
  void restart(LogOptions options = {}) {
    process_.reset();
    process_ = std::make_unique<LogProcess>(store_, clock_, options);
  }
  Log& log() { return process_->log(); }
  // Of the entry's body; or why that cannot be read.
  std::vector<std::string> ids_of(Position position) {
    std::vector<std::string> ids;
    const auto entry = process_->run(log().entry(position)).value();
    const auto read =
        process_->run(log().for_each_record(entry, [&](BodyRecord record) -> Result<void> {
          ids.push_back(std::move(record.id));
          return {};
        }));
    if (!read) return {read.error().message};
    return ids;
  }
  std::size_t rows(Table table) {
    return store_.snapshot()[static_cast<std::size_t>(table)].size();
  }

  MemoryStore store_;
  SimulatedClock clock_;
  std::unique_ptr<LogProcess> process_ = std::make_unique<LogProcess>(store_, clock_);
};

}  // namespace miroir
