#include "log/tasks.h"

#include <gtest/gtest.h>

#include "log/log_process_fake.h"

namespace miroir {
namespace {

class TasksTest : public testing::Test {
 protected:
  Position append(const std::string& uid, const std::string& type, Entry entry = {}) {
    entry.kind = EntryKind::kClearDocuments;
    entry.index_uid = uid;
    entry.task_type = type;
    entry.task_details = Json::object({{"receivedDocuments", 3}, {"indexedDocuments", nullptr}});
    clock_.advance(Seconds(1));
    return process_.append({entry}).value()[0].position;
  }
  void end(Position task, const std::string& status, Json error = {}) {
    const EntryStamp stamp = process_.run(process_.log().entry(task)).value()->stamp;
    ASSERT_TRUE(process_.run(process_.log().end_task(
        task, {.status = status,
               .started = stamp + 100'000,
               .finished = stamp + 350'000,
               .details = Json::object({{"receivedDocuments", 3}, {"indexedDocuments", 3}}),
               .error = std::move(error),
               .canceled_by = status == "canceled" ? task + 1 : 0})));
  }
  std::string list(TaskFilter filter = {}, std::optional<Position> from = {},
                   std::size_t limit = 20, bool reverse = false) {
    const auto page = process_
                          .run(list_tasks(process_.log(), std::move(filter), from, limit, reverse,
                                          [](Position uid) { return uid == 3; }))
                          .value();
    std::string text;
    for (const Json& task : page.tasks) {
      text += to_text(*task.find("uid")) + ":" + task.find("status")->as_string() + " ";
    }
    return text + "of " + std::to_string(page.total) + " from " +
           (page.from ? std::to_string(*page.from) : "null") + " next " +
           (page.next ? std::to_string(*page.next) : "null");
  }

  MemoryStore store_;
  SimulatedClock clock_;
  LogProcess process_{store_, clock_};
};

// Keys and their order as in the recordings of a real server.
TEST_F(TasksTest, TaskIsRenderedAsMeilisearchDoes) {
  Entry entry;
  entry.custom_metadata = "mine";
  const Position uid = append("books", "documentAdditionOrUpdate", entry);
  const auto task = [&] {
    return to_text(*process_.run(find_task(process_.log(), uid, nullptr)).value());
  };
  EXPECT_EQ(task(),
            R"({"uid":1,"batchUid":null,"indexUid":"books","status":"enqueued",)"
            R"("type":"documentAdditionOrUpdate","canceledBy":null,)"
            R"("details":{"receivedDocuments":3,"indexedDocuments":null},"error":null,)"
            R"("duration":null,"enqueuedAt":"2026-01-01T00:00:01.000000Z","startedAt":null,)"
            R"("finishedAt":null,"customMetadata":"mine"})");
  end(uid, "succeeded");
  EXPECT_EQ(task(), R"({"uid":1,"batchUid":1,"indexUid":"books","status":"succeeded",)"
                    R"("type":"documentAdditionOrUpdate","canceledBy":null,)"
                    R"("details":{"receivedDocuments":3,"indexedDocuments":3},"error":null,)"
                    R"("duration":"PT0.250000S","enqueuedAt":"2026-01-01T00:00:01.000000Z",)"
                    R"("startedAt":"2026-01-01T00:00:01.100000Z",)"
                    R"("finishedAt":"2026-01-01T00:00:01.350000Z","customMetadata":"mine"})");
}

TEST_F(TasksTest, BornFailedIsFailedAtOnce) {
  Entry entry;
  entry.born_failed = meili::api_error("index_not_found", "Index `books` not found.");
  const Position uid = append("books", "indexDeletion", entry);
  const Json task = *process_.run(find_task(process_.log(), uid, nullptr)).value();
  EXPECT_EQ(task.find("status")->as_string(), "failed");
  EXPECT_EQ(*task.find("error"), meili::to_json(*entry.born_failed));
  EXPECT_EQ(task.find("startedAt")->as_string(), task.find("enqueuedAt")->as_string());
}

TEST_F(TasksTest, ListIsFilteredPagedAndReversed) {
  append("a", "documentAdditionOrUpdate");
  append("b", "documentDeletion");
  append("a", "documentDeletion");
  append("", "indexSwap");
  append("a", "settingsUpdate");
  end(1, "succeeded");
  end(2, "failed", Json::object({{"code", "bad"}}));
  end(5, "canceled");
  EXPECT_EQ(list(),
            "5:canceled 4:enqueued 3:processing 2:failed 1:succeeded of 5 from 5 next null");
  EXPECT_EQ(list({}, {}, 2), "5:canceled 4:enqueued of 5 from 5 next 3");
  EXPECT_EQ(list({}, 3, 2), "3:processing 2:failed of 5 from 3 next 1");
  EXPECT_EQ(list({}, 2, 2, true), "2:failed 3:processing of 5 from 2 next 4");
  EXPECT_EQ(list({.statuses = {"failed", "processing"}}),
            "3:processing 2:failed of 2 from 3 next null");
  EXPECT_EQ(list({.types = {"documentDeletion"}, .index_uids = {"a"}}),
            "3:processing of 1 from 3 next null");
  EXPECT_EQ(list({.uids = {9, 1, 2, 1}}), "2:failed 1:succeeded of 2 from 2 next null");
  EXPECT_EQ(list({.canceled_by = {6}}), "5:canceled of 1 from 5 next null");
  EXPECT_EQ(list({.index_uids = {"other"}}), "of 0 from null next null");
  const WallTime start = clock_.wall_now() - Seconds(5);
  EXPECT_EQ(list({.after_enqueued = start + Seconds(4)}), "5:canceled of 1 from 5 next null");
  EXPECT_EQ(list({.before_finished = start + Seconds(2)}), "1:succeeded of 1 from 1 next null");
}

TEST_F(TasksTest, PartsAndSystemEntriesAreNoTasks) {
  Entry part = plain_entry(EntryKind::kClearDocuments, "a");
  part.task_type = "documentAdditionOrUpdate";
  part.task = 3;
  Entry system = plain_entry(EntryKind::kClearDocuments, "a");
  Entry last = part;
  ASSERT_TRUE(process_.append({part, system, last}));
  EXPECT_EQ(list(), "3:processing of 1 from 3 next null");
  EXPECT_EQ(process_.run(find_task(process_.log(), 1, nullptr)).value(), std::nullopt);
  EXPECT_EQ(process_.run(find_task(process_.log(), 99, nullptr)).value(), std::nullopt);
}

TEST_F(TasksTest, DeletedTasksAreGoneFromTheViewOnly) {
  append("a", "documentDeletion");
  append("a", "documentDeletion");
  const TaskEnd::FailedParts parts = {{1, {0, 5}}};
  TaskEnd end;
  end.status = "failed";
  end.failed_parts = parts;
  ASSERT_TRUE(process_.run(process_.log().end_task(1, end)));
  EXPECT_EQ(process_.run(process_.log().task_end(1)).value()->failed_parts, parts);
  ASSERT_TRUE(process_.run(process_.log().forget_tasks({1})));
  EXPECT_EQ(list(), "2:enqueued of 1 from 2 next null");
  EXPECT_EQ(process_.run(process_.log().failed_parts(1)).value(), parts);
  EXPECT_EQ(process_.run(process_.log().failed_parts(2)).value(), std::nullopt);
  EXPECT_TRUE(process_.run(process_.log().entry(1)));
}

}  // namespace
}  // namespace miroir
