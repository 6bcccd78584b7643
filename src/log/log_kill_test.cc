#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <boost/asio/detached.hpp>
#include <filesystem>

#include "log/log_process_fake.h"
#include "store/sqlite_store.h"

namespace miroir {
namespace {

// Appends for ever, several at once, and writes each acknowledged position to the pipe.
Async<void> append_for_ever(LogProcess& process, int pipe, std::string name) {
  for (int i = 0;; ++i) {
    bool done = false;
    auto body = co_await process.log().write_body([&]() -> Result<std::optional<BodyRecord>> {
      if (std::exchange(done, true)) return std::nullopt;
      return BodyRecord{.slot = 1, .checksum = 2, .id = name + std::to_string(i), .document = "{}"};
    });
    MIROIR_ASSERT(body.has_value());
    auto appended = co_await process.log().append(
        [&](const Catalogue&, Position) -> Result<std::vector<Entry>> {
          Entry entry = plain_entry(EntryKind::kWriteDocuments, "a");
          entry.custom_metadata = name + std::to_string(i);
          entry.body = body->id;
          entry.body_pieces = body->pieces;
          return std::vector{entry};
        });
    MIROIR_ASSERT(appended.has_value());
    const std::string line =
        std::to_string(appended->front().position) + " " + appended->front().custom_metadata + "\n";
    MIROIR_ASSERT(::write(pipe, line.data(), line.size()) == static_cast<ssize_t>(line.size()));
  }
}

[[noreturn]] void be_killed(const std::string& path, int pipe) {
  const auto store = SqliteStore::open(path).value();
  SystemClock clock;
  LogProcess process(*store, clock);
  for (const char* name : {"x", "y", "z"}) {
    boost::asio::co_spawn(process.io(), append_for_ever(process, pipe, name),
                          boost::asio::detached);
  }
  process.io().restart();
  process.io().run();
  ::_exit(1);
}

TEST(LogKillTest, WhatWasAcknowledgedIsThereAfterKillMinusNine) {
  std::string directory = std::filesystem::temp_directory_path() / "miroir-log-XXXXXX";
  ASSERT_NE(::mkdtemp(directory.data()), nullptr);
  const std::string path = directory + "/store.db";
  std::map<Position, std::string> acknowledged;
  for (int life = 0; life < 3; ++life) {
    int ends[2];
    ASSERT_EQ(::pipe(ends), 0);
    const pid_t child = ::fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
      ::close(ends[0]);
      be_killed(path, ends[1]);
    }
    ::close(ends[1]);
    FILE* lines = ::fdopen(ends[0], "r");
    unsigned long long position = 0;
    char name[64];
    for (int count = 0; std::fscanf(lines, "%llu %63s", &position, name) == 2; ++count) {
      acknowledged[position] = name;
      if (count == 40 + 7 * life) ::kill(child, SIGKILL);
    }
    std::fclose(lines);
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    ASSERT_TRUE(WIFSIGNALED(status));

    const auto store = SqliteStore::open(path).value();
    SystemClock clock;
    LogProcess process(*store, clock);
    const auto entries = process.run(process.log().entries(1, 1'000'000)).value();
    for (std::size_t i = 0; i < entries.size(); ++i) ASSERT_EQ(entries[i]->position, i + 1);
    for (const auto& [at, what] : acknowledged) {
      ASSERT_LE(at, entries.size());
      EXPECT_EQ(entries[at - 1]->custom_metadata, what);
      std::string id;
      ASSERT_TRUE(process.run(
          process.log().for_each_record(entries[at - 1], [&](BodyRecord record) -> Result<void> {
            id = record.id;
            return {};
          })));
      EXPECT_EQ(id, what);
    }
  }
  EXPECT_GT(acknowledged.size(), 120);
  std::filesystem::remove_all(directory);
}

}  // namespace
}  // namespace miroir
