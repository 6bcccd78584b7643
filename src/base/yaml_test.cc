#include "base/yaml.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>

namespace miroir {
namespace {

using testing::ElementsAre;

YamlBlock block_of(std::string_view text) {
  auto block = YamlBlock::parse(text, "miroir.yaml");
  EXPECT_TRUE(block) << (block ? "" : block.error().message);
  return *block;
}

// What finish() says after `read` took its keys.
std::string refusal(std::string_view text, const std::function<void(YamlBlock&)>& read) {
  YamlBlock block = block_of(text);
  read(block);
  const auto finished = block.finish();
  return finished ? "accepted" : finished.error().message;
}

TEST(YamlTest, ReadsEveryType) {
  YamlBlock block = block_of(R"(
name: "a: b"
plain: yes
port: 7700
share: 0.05
on: true
timeout: 60s
schedule: every 6h
size: 20GiB
interval_ms: 5000
policy: partial
tags: [a, "b", 3]
nodes:
  - id: a1
    address: http://127.0.0.1:1
  - id: a2
nested:
  deeper: {key: value}
)");
  EXPECT_EQ(block.string("name", ""), "a: b");
  EXPECT_EQ(block.required_string("plain"), "yes");
  EXPECT_EQ(block.integer("port", 1, 0, 65535), 7700);
  EXPECT_EQ(block.number("share", 1, 0, 1), 0.05);
  EXPECT_TRUE(block.boolean("on", false));
  EXPECT_EQ(block.duration("timeout", Seconds(1)), Seconds(60));
  EXPECT_EQ(block.schedule("schedule", Seconds(1)), std::chrono::hours(6));
  EXPECT_EQ(block.bytes("size", 1), std::uint64_t{20} << 30);
  EXPECT_EQ(block.milliseconds("interval_ms", Milliseconds(1)), Milliseconds(5000));
  EXPECT_EQ(block.one_of("policy", "error", {"partial", "error"}), "partial");
  EXPECT_THAT(block.strings("tags"), ElementsAre("a", "b", "3"));
  auto nodes = block.blocks("nodes");
  ASSERT_EQ(nodes.size(), 2u);
  EXPECT_EQ(nodes[0].required_string("id"), "a1");
  EXPECT_EQ(nodes[0].optional_string("address"), "http://127.0.0.1:1");
  EXPECT_EQ(nodes[1].required_string("id"), "a2");
  EXPECT_EQ(nodes[1].optional_string("address"), std::nullopt);
  EXPECT_EQ(block.block("nested").block("deeper").string("key", ""), "value");
  const auto finished = block.finish();
  EXPECT_TRUE(finished) << finished.error().message;
}

TEST(YamlTest, MissingKeysTakeTheirDefaults) {
  for (const char* text : {"", "# nothing\n", "~", "other: {}"}) {
    YamlBlock block = block_of(text);
    EXPECT_EQ(block.integer("port", 7700, 0, 65535), 7700);
    EXPECT_EQ(block.block("log").duration("age", Seconds(7)), Seconds(7));
    EXPECT_TRUE(block.strings("tags").empty());
    EXPECT_TRUE(block.blocks("nodes").empty());
    EXPECT_FALSE(block.has("port"));
  }
}

TEST(YamlTest, UnknownKeyIsRefusedWithItsLineAndTheKeyThatWasMeant) {
  const auto read = [](YamlBlock& root) {
    YamlBlock block = root.block("anti_entropy");
    block.boolean("enabled", true);
    block.schedule("schedule", Seconds(1));
  };
  EXPECT_EQ(refusal("anti_entropy:\n  enabled: true\n  shedule: every 6h\n", read),
            "miroir.yaml:3: anti_entropy.shedule: unknown key; did you mean `schedule`?");
  EXPECT_EQ(refusal("anti_entropy:\n  colour: red\n", read),
            "miroir.yaml:2: anti_entropy.colour: unknown key");
  EXPECT_EQ(refusal("anti_entropi: {}\n", read),
            "miroir.yaml:1: anti_entropi: unknown key; did you mean `anti_entropy`?");
  EXPECT_EQ(refusal("anti_entropy: {enabled: false}\n", read), "accepted");
}

TEST(YamlTest, UnknownKeyInAListNamesTheElement) {
  EXPECT_EQ(refusal("nodes:\n  - id: a\n  - id: b\n    adress: x\n",
                    [](YamlBlock& root) {
                      for (auto& node : root.blocks("nodes")) {
                        node.required_string("id");
                        node.optional_string("address");
                      }
                    }),
            "miroir.yaml:4: nodes[1].adress: unknown key; did you mean `address`?");
}

TEST(YamlTest, KeyGivenTwiceIsRefused) {
  EXPECT_EQ(refusal("a:\n  b: 1\n  b: 1\n",
                    [](YamlBlock& root) { root.block("a").integer("b", 1, 0, 9); }),
            "miroir.yaml:3: a.b: the key is given twice");
}

TEST(YamlTest, WrongTypeNamesWhatWasExpectedAndWhatWasGiven) {
  const auto integer = [](YamlBlock& root) { root.integer("k", 1, 0, 100); };
  EXPECT_EQ(refusal("k: x\n", integer),
            "miroir.yaml:1: k: expected a whole number from 0 to 100, got `x`");
  EXPECT_EQ(refusal("k: \"8\"\n", integer),
            "miroir.yaml:1: k: expected a whole number from 0 to 100, got the string \"8\"");
  EXPECT_EQ(refusal("\nk: [1]\n", integer),
            "miroir.yaml:2: k: expected a whole number from 0 to 100, got a list");
  EXPECT_EQ(refusal("k:\n", integer),
            "miroir.yaml:1: k: expected a whole number from 0 to 100, got nothing");
  EXPECT_EQ(refusal("k: {}\n", [](YamlBlock& root) { root.strings("k"); }),
            "miroir.yaml:1: k: expected a list of strings, got a mapping");
  EXPECT_EQ(refusal("k: 3\n", [](YamlBlock& root) { root.block("k"); }),
            "miroir.yaml:1: k: expected a mapping, got `3`");
  EXPECT_EQ(refusal("k: 3\n", [](YamlBlock& root) { root.blocks("k"); }),
            "miroir.yaml:1: k: expected a list of mappings, got `3`");
  EXPECT_EQ(refusal("k: [{}, 3]\n", [](YamlBlock& root) { root.blocks("k"); }),
            "miroir.yaml:1: k[1]: expected a mapping, got `3`");
  EXPECT_EQ(refusal("a: 1\n",
                    [](YamlBlock& root) {
                      root.required_string("k");
                      root.string("a", "");
                    }),
            "miroir.yaml:1: k: missing, expected a string");
}

TEST(YamlTest, NumbersAndBooleansAreReadAsWrittenNotAsYaml11) {
  const auto integer = [](YamlBlock& root) { root.integer("k", 1, 0, 100); };
  for (const char* text :
       {"010", "0x10", "1_0", "+5", "5.0", "-1", "101", "99999999999999999999"}) {
    EXPECT_NE(refusal(std::string("k: ") + text + "\n", integer), "accepted") << text;
  }
  const auto boolean = [](YamlBlock& root) { root.boolean("k", true); };
  for (const char* text : {"yes", "on", "True", "1", "y", "\"true\""}) {
    EXPECT_NE(refusal(std::string("k: ") + text + "\n", boolean), "accepted") << text;
  }
  EXPECT_EQ(refusal("k: yes\n", boolean), "miroir.yaml:1: k: expected true or false, got `yes`");
  const auto number = [](YamlBlock& root) { root.number("k", 0.5, 0, 1); };
  EXPECT_EQ(refusal("k: 2\n", number), "miroir.yaml:1: k: expected a number from 0 to 1, got `2`");
  for (const char* text : {"nan", ".inf", "inf", "0.5x", "-0.1"}) {
    EXPECT_NE(refusal(std::string("k: ") + text + "\n", number), "accepted") << text;
  }
}

TEST(YamlTest, ImpossibleValuesAreRefused) {
  EXPECT_EQ(refusal("a:\n  s: 6 hours\n",
                    [](YamlBlock& root) { root.block("a").schedule("s", Seconds(1)); }),
            "miroir.yaml:2: a.s: expected a schedule like \"every 6h\", got \"6 hours\"");
  EXPECT_NE(refusal("k: 0s\n", [](YamlBlock& root) { root.duration("k", Seconds(1)); }),
            "accepted");
  EXPECT_NE(refusal("k: 1GB\n", [](YamlBlock& root) { root.bytes("k", 1); }), "accepted");
  EXPECT_NE(refusal("k: 0\n", [](YamlBlock& root) { root.milliseconds("k", Milliseconds(5)); }),
            "accepted");
  EXPECT_EQ(refusal("k: x\n", [](YamlBlock& root) { root.one_of("k", "a", {"a", "b"}); }),
            "miroir.yaml:1: k: expected `a` or `b`, got `x`");
  EXPECT_EQ(refusal("k: x\n",
                    [](YamlBlock& root) {
                      root.string("k", "");
                      root.refuse("k", "an address like http://host:7700");
                    }),
            "miroir.yaml:1: k: expected an address like http://host:7700, got `x`");
}

TEST(YamlTest, FirstErrorIsKept) {
  EXPECT_EQ(refusal("a: x\nb: y\nc: 1\n",
                    [](YamlBlock& root) {
                      root.integer("a", 1, 0, 9);
                      root.integer("b", 1, 0, 9);
                    }),
            "miroir.yaml:1: a: expected a whole number from 0 to 9, got `x`");
}

TEST(YamlTest, TextThatIsNoMappingIsRefused) {
  for (const char* text : {"[1]", "x", "a: [", "a: b: c", "a: 1\n---\nb: 2\n", "a: *x", "\ta: 1",
                           // The parser finds one document after another in these, for ever.
                           ",", "!a:\n , b"}) {
    auto block = YamlBlock::parse(text, "miroir.yaml");
    ASSERT_FALSE(block) << text;
    EXPECT_EQ(block.error().code, ErrorCode::kInvalid);
    EXPECT_TRUE(block.error().message.starts_with("miroir.yaml:")) << block.error().message;
  }
}

}  // namespace
}  // namespace miroir
