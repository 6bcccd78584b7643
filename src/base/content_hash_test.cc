#include "base/content_hash.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <cmath>

#include "base/document.h"
#include "base/random.h"
#include "base/reference_json_fake.h"

namespace miroir {
namespace {

Hash128 hash(std::string_view document, DecimalReading reading = DecimalReading::kNearest) {
  auto result = content_hash(document, reading, nullptr);
  EXPECT_TRUE(result) << document;
  return result ? *result : Hash128();
}

void expect_same(std::string_view a, std::string_view b) {
  EXPECT_EQ(hash(a).hex(), hash(b).hex()) << a << "\n" << b;
}

void expect_different(std::string_view a, std::string_view b) {
  EXPECT_NE(hash(a).hex(), hash(b).hex()) << a << "\n" << b;
}

TEST(ContentHashTest, OrderOfKeysDoesNotCountAtAnyDepth) {
  expect_same(R"({"a":1,"b":{"c":[{"d":1,"e":2}],"f":3}})",
              R"({ "b" : {"f":3,"c":[{"e":2,"d":1}]} , "a" : 1 })");
  expect_different(R"({"a":[1,2]})", R"({"a":[2,1]})");
}

TEST(ContentHashTest, WayOfWritingDoesNotCount) {
  expect_same(R"({"id":"a/b","\u0069":"\u00e9\ud83d\ude00\n"})",
              "{\"i\":\"\xC3\xA9\xF0\x9F\x98\x80\\u000A\",\"\\u0069d\":\"a\\/b\"}");
  expect_same(R"({"x":[1,100,0,0.5,-7]})", R"({"x":[1.0,1e2,-0.0,5e-1,-70E-1]})");
  expect_same(R"({"x":9007199254740993})", R"({"x":9007199254740993})");
  expect_different(R"({"x":9007199254740993})", R"({"x":9007199254740992})");
  expect_same(R"({"x":18446744073709551616})", R"({"x":1.8446744073709552e19})");
  expect_same(R"({"x":18446744073709549568})", R"({"x":18446744073709549568.0})");
  expect_different(R"({"x":18446744073709551615})", R"({"x":18446744073709551616})");
}

TEST(ContentHashTest, TypesAreToldApart) {
  const std::vector<std::string> values = {
      "null",    "true",  "false",    "0",      "\"\"",       "[]",
      "{}",      "\"0\"", "[0]",      "[[]]",   "[null]",     "{\"\":null}",
      "1",       "-1",    "\"1\"",    "[1,2]",  "[[1],2]",    "[[1,2]]",
      "[1,[2]]", "0.1",   "\"null\"", "\"[]\"", "{\"a\":[]}", "[{\"a\":0}]"};
  for (const auto& a : values) {
    for (const auto& b : values) {
      if (&a != &b) expect_different("{\"x\":" + a + "}", "{\"x\":" + b + "}");
    }
  }
  expect_different(R"({"ab":"c"})", R"({"a":"bc"})");
  expect_different(R"({"a":"b","c":"d"})", R"({"a":"d","c":"b"})");
}

TEST(ContentHashTest, DecimalsAreReadAsAsked) {
  // 411E+187 is stored by a node as 4.1099999999999997e+189 (node_decimal_test.cc).
  EXPECT_EQ(hash(R"({"x":411E+187})", DecimalReading::kNode),
            hash(R"({"x":4.1099999999999997e+189})", DecimalReading::kNearest));
  EXPECT_NE(hash(R"({"x":411E+187})"), hash(R"({"x":4.1099999999999997e+189})"));
}

TEST(ContentHashTest, LastOfRepeatedKeysCounts) {
  expect_same(R"({"a":1,"a":2})", R"({"a":2})");
  expect_same(R"({"a":1,"b":0,"\u0061":2})", R"({"b":0,"a":2})");
  expect_same(R"({"x":[{"a":1,"a":2}]})", R"({"x":[{"a":2}]})");
  expect_different(R"({"a":1,"a":2})", R"({"a":1})");
}

TEST(ContentHashTest, SkippedMembersDoNotCountAtTheTopOnly) {
  const auto skip = [](std::string_view key) { return key.starts_with("_miroir_"); };
  const auto plain = content_hash(R"({"a":{"_miroir_x":1}})", DecimalReading::kNode, skip);
  EXPECT_EQ(*plain, *content_hash(R"({"_miroir_slot":"!","a":{"_miroir_x":1},"\u005fmiroir_y":2})",
                                  DecimalReading::kNode, skip));
  EXPECT_NE(*plain, *content_hash(R"({"a":{}})", DecimalReading::kNode, skip));
}

TEST(ContentHashTest, MalformedDocumentsAreRefused) {
  for (const char* text : {"", "[]", "1", "{", "{\"a\":}", "{\"a\":1,}", "{} x", "{\"a\":[1,,2]}",
                           "{\"a\":01}", "{\"a\":[1}", "{\"a\":\"\\ud800\"}"}) {
    EXPECT_FALSE(content_hash(text, DecimalReading::kNearest, nullptr)) << text;
  }
  const auto nested = [](std::size_t depth) {
    return "{\"a\":" + std::string(depth - 1, '[') + "0" + std::string(depth - 1, ']') + "}";
  };
  EXPECT_TRUE(content_hash(nested(kJsonDepthMax), DecimalReading::kNearest, nullptr));
  EXPECT_FALSE(content_hash(nested(kJsonDepthMax + 1), DecimalReading::kNearest, nullptr));
  const std::string deep(100'000, '[');
  EXPECT_FALSE(content_hash("{\"a\":" + deep + "}", DecimalReading::kNearest, nullptr));
}

using Value = ReferenceValue;

std::string any_string(Random& random) {
  static const std::vector<std::string> kPieces = {
      "a",   "b", "\"", "\\", "/", "\n", std::string(1, '\0'), "\xC3\xA9", "\xF0\x9F\x98\x80",
      "\x7F"};
  std::string text;
  for (std::uint64_t i = random.below(5); i > 0; --i) text += kPieces[random.below(kPieces.size())];
  return text;
}

Value any_value(Random& random, std::uint64_t depth) {
  Value value;
  value.type = static_cast<Value::Type>(random.below(depth == 0 ? 5 : 7));
  switch (value.type) {
    case Value::Type::kNull:
      break;
    case Value::Type::kBoolean:
      value.boolean = random.chance(0.5);
      break;
    case Value::Type::kInteger:
      value.magnitude = random.next() >> random.below(64);
      value.negative = random.chance(0.5) && value.magnitude <= std::uint64_t{1} << 63;
      break;
    case Value::Type::kDecimal:
      do {
        value.decimal = read_as_node(std::to_string(random.next() >> random.below(60)) + "e-" +
                                     std::to_string(random.below(60)));
        if (random.chance(0.5)) value.decimal = -value.decimal;
      } while (value.decimal == std::trunc(value.decimal));
      break;
    case Value::Type::kString:
      value.string = any_string(random);
      break;
    case Value::Type::kArray:
      for (std::uint64_t i = random.below(4); i > 0; --i) {
        value.elements.push_back(any_value(random, depth - 1));
      }
      break;
    case Value::Type::kObject:
      for (std::uint64_t i = random.below(5); i > 0; --i) {
        value.members[any_string(random)] = any_value(random, depth - 1);
      }
      break;
  }
  return value;
}

Value any_document(Random& random) {
  Value document;
  document.type = Value::Type::kObject;
  for (std::uint64_t i = 1 + random.below(5); i > 0; --i) {
    document.members[any_string(random)] = any_value(random, 3);
  }
  return document;
}

// Changes one thing somewhere; perhaps into what it was.
void mutate(Value& value, Random& random) {
  if (value.type == Value::Type::kArray && !value.elements.empty() && random.chance(0.7)) {
    if (random.chance(0.3)) {
      std::swap(value.elements[0], value.elements[random.below(value.elements.size())]);
    } else {
      mutate(value.elements[random.below(value.elements.size())], random);
    }
    return;
  }
  if (value.type == Value::Type::kObject && !value.members.empty() && random.chance(0.8)) {
    auto member = value.members.begin();
    std::advance(member, static_cast<long>(random.below(value.members.size())));
    if (random.chance(0.2)) {
      value.members.erase(member);
    } else if (random.chance(0.2)) {
      Value moved = member->second;
      value.members.erase(member);
      value.members[any_string(random)] = std::move(moved);
    } else {
      mutate(member->second, random);
    }
    return;
  }
  if (value.type == Value::Type::kDecimal) {
    value.decimal = std::nextafter(value.decimal, random.chance(0.5) ? 1e300 : -1e300);
    return;
  }
  if (value.type == Value::Type::kInteger && value.magnitude < 1000) {
    value.magnitude += random.below(2);
    return;
  }
  value = any_value(random, 1);
}

void check_writings(DecimalReading reading) {
  EXPECT_TRUE(rc::check([reading](std::uint64_t seed) {
    Random random(seed);
    for (int i = 0; i < 30; ++i) {
      const Value document = any_document(random);
      ReferenceWriter writer(random, reading);
      const std::string one = writer.text(document);
      const std::string other = writer.text(document);
      const auto hash_one = content_hash(one, reading, nullptr);
      const auto hash_other = content_hash(other, reading, nullptr);
      RC_ASSERT(hash_one.has_value());
      RC_ASSERT(hash_other.has_value());
      if (*hash_one != *hash_other) RC_FAIL(one + "\n" + other);
    }
  }));
}

TEST(ContentHashPropertyTest, AllWritingsOfADocumentHashAlike) {
  check_writings(DecimalReading::kNearest);
}

TEST(ContentHashPropertyTest, AllWritingsForANodeHashAlike) {
  check_writings(DecimalReading::kNode);
}

TEST(ContentHashPropertyTest, EqualExactlyWhereTheCanonicalTextIs) {
  int different = 0;
  EXPECT_TRUE(rc::check([&](std::uint64_t seed) {
    Random random(seed);
    for (int i = 0; i < 30; ++i) {
      const Value before = any_document(random);
      Value after = before;
      mutate(after, random);
      if (after.type != Value::Type::kObject) continue;
      ReferenceWriter writer(random, DecimalReading::kNearest);
      const std::string one = writer.text(before);
      const std::string other = writer.text(after);
      const bool same = canonical(before) == canonical(after);
      different += same ? 0 : 1;
      const bool hashes_same = hash(one) == hash(other);
      if (same != hashes_same) RC_FAIL(one + "\n" + other);
    }
  }));
  EXPECT_GT(different, 1000);
}

}  // namespace
}  // namespace miroir
