#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "cdc/change_stream.h"
#include "forward/forward_world_fake.h"

namespace miroir::cdc {

// Subscribers that outlive Miroir's process: what each took, in order, and how it answers.
struct Subscriber {
  int status = 200;
  bool mute = false;  // takes what it is sent, and never answers
  int refused = 0;
  std::vector<Json> deliveries;
  std::vector<http::Headers> headers;
  std::vector<std::string> bodies;

  std::vector<Json> events() const {
    std::vector<Json> all;
    for (const Json& delivery : deliveries) {
      for (const Json& event : delivery.find("events")->as_array()) all.push_back(event);
    }
    return all;
  }
};

class FakeWebhook final : public Webhook {
 public:
  FakeWebhook(Subscriber& subscriber, Clock& clock) : subscriber_(subscriber), clock_(clock) {}

  Async<Result<int>> post(http::Headers headers, std::string body, Instant deadline) override {
    co_await clock_.sleep_for(Milliseconds(1));
    if (subscriber_.status == 200) {
      subscriber_.deliveries.push_back(parse_json(body).value());
      subscriber_.headers.push_back(std::move(headers));
      subscriber_.bodies.push_back(std::move(body));
    } else {
      ++subscriber_.refused;
    }
    if (!subscriber_.mute) co_return subscriber_.status;
    co_await clock_.sleep_until(deadline);
    co_return fail(ErrorCode::kTimeout, "no answer");
  }

 private:
  Subscriber& subscriber_;
  Clock& clock_;
};

// "write 1", "clear books": what an event says, shortly.
inline std::string brief(const Json& event) {
  const Json* id = event.find("id");
  const Json* index = event.find("index");
  return event.find("kind")->as_string() + " " +
         (id != nullptr        ? id->as_string()
          : index->is_string() ? index->as_string()
                               : "several");
}

inline std::vector<std::string> brief(const std::vector<Json>& events) {
  std::vector<std::string> texts;
  for (const Json& event : events) texts.push_back(brief(event));
  return texts;
}

inline std::vector<Json> events_of(const Page& page) {
  return parse_json("[" + page.events + "]").value().as_array();
}

// A change stream over simulated nodes, which can be crashed and started again with them.
class StreamWorldTest : public testing::Test {
 protected:
  explicit StreamWorldTest(ForwardWorld::Options options = {}) : world(7, options) {
    cdc.enabled = true;
  }
  ~StreamWorldTest() override { crash(); }

  CdcSinkOptions& add_sink(const std::string& id) {
    cdc.sinks.push_back({id, "http://" + id, "secret of " + id, true});
    return cdc.sinks.back();
  }

  void start() {
    world.start();
    const Executor executor = world.process->io->get_executor();
    auto opened = world.await(ChangeStream::open(
        {world.log(), world.store, world.cluster(), *world.process->forwarders, world.clock,
         world.process->random, world.process->metrics, executor},
        cdc, [this](const CdcSinkOptions& sink) -> Result<std::unique_ptr<Webhook>> {
          return std::make_unique<FakeWebhook>(subscribers[sink.id], world.clock);
        }));
    ASSERT_TRUE(opened) << opened.error().message;
    stream = std::move(*opened);
    tasks = std::make_unique<TaskGroup>(executor);
    tasks->spawn("change stream", stream->run());
  }

  void crash() {
    world.crash();
    tasks.reset();
    stream.reset();
  }

  // Everything that is settled, from the start.
  std::vector<Json> all(Selection selection = {}) {
    std::vector<Json> events;
    Cursor at{0, Cursor::kWhole};
    for (bool more = true; more;) {
      const Page page = read(at, selection);
      EXPECT_EQ(page.lost, 0U);
      for (Json& event : events_of(page)) events.push_back(std::move(event));
      at = page.next;
      more = page.more;
    }
    return events;
  }

  Page read(Cursor since, Selection selection = {}, Microseconds wait = Microseconds(0)) {
    return world.await(stream->changes(since, std::move(selection), wait)).value();
  }

  double metric(const std::string& line) {
    const std::string text = world.process->metrics.text();
    const std::size_t at = text.find(line + " ");
    EXPECT_NE(at, std::string::npos) << line << "\n" << text;
    return at == std::string::npos ? -1 : std::stod(text.substr(at + line.size() + 1));
  }

  bool settles() {
    return world.run_until(
        [this] { return world.process->forwarders->settled() == world.log().head(); }, Seconds(60));
  }

  ForwardWorld world;
  CdcOptions cdc;
  std::map<std::string, Subscriber> subscribers;
  std::unique_ptr<ChangeStream> stream;
  std::unique_ptr<TaskGroup> tasks;
};

}  // namespace miroir::cdc
