#include "proxy/routes.h"

#include <gtest/gtest.h>

namespace miroir {
namespace {

http::RequestHead head(std::string method, std::string path) {
  http::RequestHead head;
  head.method = std::move(method);
  head.target = head.path = std::move(path);
  return head;
}

class RoutesTest : public ::testing::Test {
 protected:
  RoutesTest() {
    for (const auto& [method, path] : std::vector<std::pair<const char*, const char*>>{
             {"GET", "/indexes"},
             {"GET", "/indexes/{uid}"},
             {"POST", "/indexes/{uid}/documents/fetch"},
             {"GET", "/indexes/{uid}/documents/{id}"},
             {"DELETE", "/indexes/{uid}/documents/{id}"},
             {"GET", "/tasks/{task}"},
             {"POST", "/tasks/cancel"}}) {
      routes.add(method, path, kNoKey, {});
    }
  }
  std::string found(std::string method, std::string path) {
    const auto match = routes.find(head(std::move(method), std::move(path)));
    if (match.route == nullptr) return match.path_exists ? "no such method" : "no such path";
    std::string text = match.route->method + " " + match.route->path;
    for (const std::string& value : match.values) text += " " + value;
    return text;
  }
  Routes routes;
};

TEST_F(RoutesTest, PathsAreFoundWithTheirValues) {
  EXPECT_EQ(found("GET", "/indexes"), "GET /indexes");
  EXPECT_EQ(found("GET", "/indexes/"), "GET /indexes");
  EXPECT_EQ(found("GET", "/indexes/a"), "GET /indexes/{uid} a");
  EXPECT_EQ(found("DELETE", "/indexes/a/documents/b%20c"),
            "DELETE /indexes/{uid}/documents/{id} a b c");
  EXPECT_EQ(found("GET", "/indexes/%C3%A9/documents/x"), "GET /indexes/{uid}/documents/{id} é x");
}

TEST_F(RoutesTest, AWordOfARouteIsADocumentsIdForAnotherMethod) {
  EXPECT_EQ(found("POST", "/indexes/a/documents/fetch"), "POST /indexes/{uid}/documents/fetch a");
  EXPECT_EQ(found("GET", "/indexes/a/documents/fetch"),
            "GET /indexes/{uid}/documents/{id} a fetch");
  EXPECT_EQ(found("GET", "/tasks/cancel"), "GET /tasks/{task} cancel");
}

TEST_F(RoutesTest, WhatIsNotThereIsToldFromAMethodThatIsNot) {
  EXPECT_EQ(found("PUT", "/indexes"), "no such method");
  for (const char* path : {"", "/", "/index", "//indexes", "/indexes/a/b", "/indexes//documents/x",
                           "/indexes/a/documents/%zz", "/indexes/a/../b"}) {
    EXPECT_EQ(found("GET", path), "no such path") << path;
  }
}

TEST_F(RoutesTest, TheIndexIsTheDecodedOneThatKeysAreJudgedBy) {
  EXPECT_EQ(routes.find(head("GET", "/indexes/secr%65t/documents/1")).index_uid, "secret");
  EXPECT_EQ(routes.find(head("GET", "/tasks/1")).index_uid, "");
}

}  // namespace
}  // namespace miroir
