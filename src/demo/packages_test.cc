#include "demo/packages.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>

#include "base/document.h"

namespace miroir::demo {
namespace {

constexpr const char* kControl = R"(Package: g++
Version: 4:12.2.0-3
Installed-Size: 15
Size: 1356
Maintainer: Debian GCC Maintainers <debian-gcc@lists.debian.org>
Architecture: amd64
Depends: cpp (= 4:12.2.0-3), gcc-12 (>= 12.2.0-1~) | clang, g++-12
Description: GNU C++ compiler
 This is the compiler.
Section: devel
Priority: optional

Package: libstdc++-6.0-doc
Version: 1
Tag: role::documentation,
 use::learning

Package: g++
Version: second, of another origin

Version: of no package

Package: last
)";

TEST(PackagesTest, NamesBecomeIds) {
  EXPECT_EQ(id_of_name("g++"), "g_p_p");
  EXPECT_EQ(id_of_name("libstdc++-6.0-doc"), "libstdc_p_p-6_d0-doc");
  EXPECT_EQ(id_of_name("bash"), "bash");
}

TEST(PackagesTest, FieldsBecomeMembers) {
  const auto packages = parse_packages(kControl);
  ASSERT_EQ(packages.size(), 3u);
  const Json& first = packages[0];
  EXPECT_EQ(*first.find("id"), Json("g_p_p"));
  EXPECT_EQ(*first.find("name"), Json("g++"));
  EXPECT_EQ(*first.find("version"), Json("4:12.2.0-3"));
  EXPECT_EQ(*first.find("installed_size"), Json(15));
  EXPECT_EQ(*first.find("size"), Json(1356));
  EXPECT_EQ(*first.find("depends"), Json::array({"cpp", "gcc-12", "clang", "g++-12"}));
  EXPECT_EQ(*first.find("description"), Json("GNU C++ compiler This is the compiler."));
  EXPECT_EQ(*first.find("section"), Json("devel"));
  EXPECT_EQ(*packages[2].find("name"), Json("last"));
}

TEST(PackagesTest, OfAPackageGivenTwiceTheFirstCountsAndWhatIsNoneIsLeftOut) {
  const auto packages = parse_packages(kControl);
  EXPECT_EQ(std::ranges::count_if(
                packages, [](const Json& each) { return *each.find("name") == Json("g++"); }),
            1);
  EXPECT_TRUE(parse_packages("").empty());
  EXPECT_TRUE(parse_packages("\n\n\n").empty());
  EXPECT_TRUE(parse_packages("nonsense without a colon\n").empty());
}

class PackageFileTest : public ::testing::Test {
 protected:
  void SetUp() override {
    const std::string test = ::testing::UnitTest::GetInstance()->current_test_info()->name();
    path_ = (std::filesystem::path(::testing::TempDir()) / ("packages_" + test)).string();
    std::ofstream(path_) << kControl;
  }
  void TearDown() override { std::filesystem::remove(path_); }
  std::string path_;
};

TEST_F(PackageFileTest, AFileIsReadAndCut) {
  EXPECT_EQ(load_packages(path_, 0)->packages.size(), 3u);
  EXPECT_EQ(load_packages(path_, 2)->packages.size(), 2u);
  EXPECT_EQ(load_packages(path_, 2)->source, path_);
}

TEST_F(PackageFileTest, AFileThatIsNotThereOrHasNoneIsRefused) {
  EXPECT_FALSE(load_packages(path_ + ".nowhere", 0));
  std::ofstream(path_) << "nothing\n";
  EXPECT_FALSE(load_packages(path_, 0));
}

TEST(PackagesTest, EveryPackageOfTheMachineOrOfOursHasAnIdThatNodesTake) {
  const auto list = load_packages("", 0);
  ASSERT_TRUE(list) << list.error().message;
  ASSERT_GE(list->packages.size(), 100u);
  for (const Json& package : list->packages) {
    const Json* id = package.find("id");
    ASSERT_NE(id, nullptr);
    EXPECT_TRUE(document_id(to_text(*id))) << to_text(*id);
  }
}

}  // namespace
}  // namespace miroir::demo
