// Heads of requests and responses: however the bytes arrive the head ends at the same place; what
// is accepted can be read in one way only (RFC 9112, smuggling), and written again is read as the
// same. Input: the bytes of a connection.
#include <algorithm>

#include "fuzz/fuzz.h"
#include "http/head_parser.h"
#include "http/head_writer.h"

namespace miroir::http {
namespace {

using fuzz::expect;

// The head's size is known exactly when its last byte is there, and an error stays one.
void check_arrival(std::string_view bytes) {
  const auto whole = head_size(bytes);
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    const auto part = head_size(bytes.substr(0, size));
    if (!part) {
      expect(!whole, "an error is not forgotten", bytes);
      return;
    }
    const bool there = whole && *whole > 0 && size >= *whole;
    expect(*part == (there ? *whole : 0), "a head ends where it ends", bytes);
  }
}

std::string written(std::string first_line, const Headers& headers) {
  for (const auto& [name, value] : headers.all()) first_line += name + ": " + value + "\r\n";
  return first_line + "\r\n";
}

bool same(const Framing& a, const Framing& b) {
  return a.chunked == b.chunked && a.content_length == b.content_length;
}

// What two parsers could take for two different messages.
void check_unambiguous(const Headers& headers, const Framing& framing, std::string_view bytes) {
  std::size_t lengths = 0;
  std::size_t encodings = 0;
  for (const auto& [name, value] : headers.all()) {
    expect(name.find_first_of(std::string_view(" \t\r\n:\0", 6)) == name.npos && !name.empty(),
           "a name is a token", bytes);
    expect(value.find_first_of(std::string_view("\r\n\0", 3)) == value.npos, "a value is one line",
           bytes);
    expect(value.empty() || (value.front() != ' ' && value.back() != ' '), "a value is trimmed",
           bytes);
    std::string lower = name;
    std::ranges::transform(lower, lower.begin(), [](char c) {
      return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
    });
    if (lower == "content-length") {
      ++lengths;
      const std::string digits =
          framing.content_length ? std::to_string(*framing.content_length) : "";
      const std::size_t zeros = std::min(value.find_first_not_of('0'), value.size() - 1);
      expect(value.substr(zeros) == digits, "the length is the length", bytes);
    }
    if (lower == "transfer-encoding") ++encodings;
  }
  expect(lengths + encodings <= 1, "one framing", bytes);
  expect(
      framing.chunked == (encodings == 1) && framing.content_length.has_value() == (lengths == 1),
      "its framing", bytes);
}

void check_request(std::string_view head) {
  const auto request = parse_request_head(head);
  if (!request) return;
  const RequestHead& parts = request->head;
  check_unambiguous(parts.headers, request->framing, head);
  expect(is_token(parts.method) && is_target(parts.target), "a request line of three parts", head);
  expect(parts.path + (parts.target.size() > parts.path.size() ? "?" + parts.query : "") ==
             parts.target,
         "path and query", head);
  expect(parts.headers.count("Host") <= 1, "one Host", head);
  const bool http11 = head.substr(0, head.find("\r\n")).ends_with("1.1");
  const auto again = parse_request_head(
      written(parts.method + " " + parts.target + (http11 ? " HTTP/1.1\r\n" : " HTTP/1.0\r\n"),
              parts.headers));
  expect(again && again->head.headers.all() == parts.headers.all() &&
             same(again->framing, request->framing) && again->keep_alive == request->keep_alive &&
             again->expects_continue == request->expects_continue,
         "written again it is the same", head);

  // Passed on, it is one request with our framing, whatever it came with.
  ClientRequest passed_on;
  passed_on.method = parts.method;
  passed_on.target = parts.target;
  passed_on.headers = parts.headers;
  passed_on.body = "body";
  const auto sent = request_head(passed_on, "node:7700");
  expect(sent.has_value(), "what was accepted can be passed on", head);
  expect(*head_size(*sent) == sent->size(), "it is one head", head, *sent);
  constexpr std::size_t kFieldsOfOurs = 2;  // more than 128 are no node's business
  if (parts.headers.all().size() + kFieldsOfOurs > 128) return;
  const auto seen = parse_request_head(*sent);
  expect(seen && !seen->framing.chunked && seen->framing.content_length == 4 && seen->keep_alive &&
             !seen->expects_continue && *seen->head.headers.find("Host") == "node:7700" &&
             seen->head.target == parts.target,
         "a node reads our framing", head, *sent);
}

void check_response(std::string_view head) {
  const auto response = parse_response_head(head);
  if (!response) return;
  check_unambiguous(response->headers, response->framing, head);
  expect(response->status >= 100 && response->status < 600, "a status", head);
  const auto again = parse_response_head(
      written(std::string(head.substr(0, head.find("\r\n") + 2)), response->headers));
  expect(again && again->status == response->status &&
             again->headers.all() == response->headers.all() &&
             same(again->framing, response->framing) && again->keep_alive == response->keep_alive,
         "written again it is the same", head);
  if (response->status < 200) return;
  Response passed_on{response->status, response->headers, "body"};
  const std::string sent = response_head(passed_on, true);
  expect(*head_size(sent) == sent.size(), "it is one head", head, sent);
  const auto seen = parse_response_head(sent);
  const bool bodiless = is_bodiless(response->status);
  expect(seen && seen->status == response->status && seen->keep_alive && !seen->framing.chunked &&
             seen->framing.content_length ==
                 (bodiless ? std::nullopt : std::optional<std::uint64_t>(4)),
         "a client reads our framing", head, sent);
}

}  // namespace
}  // namespace miroir::http

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace miroir;
  const std::string_view bytes = fuzz::text_of(data, size);
  http::check_arrival(bytes);
  const auto head = http::head_size(bytes);
  if (!head || *head == 0) return 0;
  http::check_request(bytes.substr(0, *head));
  http::check_response(bytes.substr(0, *head));
  return 0;
}
