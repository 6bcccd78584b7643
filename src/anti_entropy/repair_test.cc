#include "anti_entropy/repair.h"

#include <gtest/gtest.h>

namespace miroir::anti_entropy {
namespace {

TEST(TextToWriteTest, StoredFieldsAreCarriedOver) {
  const std::string text = R"({"id":1,"v":"x","_miroir_slot":"!!!!!!","_miroir_updated_at":"!!"})";
  EXPECT_EQ(text_to_write(text, false).value(), text);
}

TEST(TextToWriteTest, VectorsAreExplicitWhereTheIndexHasEmbedders) {
  EXPECT_EQ(text_to_write(R"({"id":1})", true).value(), R"({"id":1,"_vectors":null})");
  EXPECT_EQ(text_to_write(R"({"id":1,"_vectors":{}})", true).value(),
            R"({"id":1,"_vectors":null})");
  const std::string given =
      R"({"id":1,"_vectors":{"e":{"embeddings":[[0.5]],"regenerate":false}}})";
  EXPECT_EQ(text_to_write(given, true).value(), given);
}

TEST(TextToWriteTest, NoVectorsAreInventedWithoutEmbedders) {
  EXPECT_EQ(text_to_write(R"({"id":1})", false).value(), R"({"id":1})");
  EXPECT_EQ(text_to_write(R"({"id":1,"_vectors":{}})", false).value(), R"({"id":1})");
}

TEST(TextToWriteTest, DecimalsAreReadBackAsTheSameValue) {
  for (const char* number :
       {"0.1", "3.9", "2.675", "1.7976931348623157e308", "123456789.123456789"}) {
    const std::string written =
        text_to_write(std::string(R"({"id":1,"n":)") + number + "}", false).value();
    const auto fields = top_level_fields(written).value();
    EXPECT_EQ(read_as_node(fields[1].value), std::stod(number)) << written;
  }
}

}  // namespace
}  // namespace miroir::anti_entropy
