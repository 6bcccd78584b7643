#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace miroir::http {

// Whether two header names are the same: letters compare without case.
bool same_name(std::string_view a, std::string_view b);

// Header fields in order; names compare without case. Repeated fields are kept as they came.
class Headers {
 public:
  using Field = std::pair<std::string, std::string>;
  Headers() = default;
  Headers(std::initializer_list<Field> fields) : fields_(fields) {}

  // The first field of that name.
  const std::string* find(std::string_view name) const;
  std::size_t count(std::string_view name) const;
  void set(std::string_view name, std::string value);  // exactly one of that name is left
  void add(std::string_view name, std::string value);
  void erase(std::string_view name);
  const std::vector<Field>& all() const { return fields_; }

 private:
  std::vector<Field> fields_;
};

// What is known of a request before its body: enough to authenticate and to refuse it.
struct RequestHead {
  std::string method;  // as sent: "GET", "POST", …
  std::string target;  // path and query as sent, still percent-encoded
  std::string path;    // before '?', percent-encoded
  std::string query;   // after '?', percent-encoded; empty if none
  Headers headers;
  std::optional<std::uint64_t> content_length;
};

struct Request : RequestHead {
  std::string body;
};

// A response of this status is none: the server closes the connection instead.
inline constexpr int kNoAnswer = 0;

struct Response {
  int status = 200;
  Headers headers;
  std::string body;
};

// "application/json" body.
Response json_response(int status, std::string body);

// Percent-decoding ("%C3%A9" → "é"); '+' is a space only in query strings. nullopt where malformed.
std::optional<std::string> percent_decode(std::string_view text, bool plus_is_space = false);
std::string percent_encode(std::string_view text);
// The decoded pairs of a query string, in order; malformed escapes are kept as they are.
std::vector<std::pair<std::string, std::string>> parse_query(std::string_view query);
std::string build_query(const std::vector<std::pair<std::string, std::string>>& pairs);

}  // namespace miroir::http
