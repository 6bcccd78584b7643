#include "http/head_parser.h"

#include <algorithm>
#include <cctype>
#include <charconv>

namespace miroir::http {
namespace {

constexpr std::size_t kFieldsMax = 128;

std::unexpected<HeadError> refuse(std::string message, int status = 400) {
  return std::unexpected(HeadError{status, std::move(message)});
}

std::string_view take_line(std::string_view& text) {
  const std::size_t end = text.find("\r\n");
  const std::string_view line = text.substr(0, end);
  text.remove_prefix(std::min(text.size(), end + 2));
  return line;
}

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

std::expected<Headers, HeadError> parse_fields(std::string_view text) {
  Headers headers;
  while (true) {
    const std::string_view line = take_line(text);
    if (line.empty()) return headers;
    if (headers.all().size() == kFieldsMax) return refuse("too many header fields", 431);
    const std::size_t colon = line.find(':');
    if (colon == std::string_view::npos) return refuse("a header line has no colon");
    // A folded line begins with a space, which is no token either.
    if (!is_token(line.substr(0, colon))) return refuse("a header name is malformed");
    const std::string_view value = trimmed(line.substr(colon + 1));
    if (!is_field_value(value)) return refuse("a header value holds a control character");
    headers.add(line.substr(0, colon), std::string(value));
  }
}

std::expected<Framing, HeadError> parse_framing(const Headers& headers) {
  Framing framing;
  const std::size_t encodings = headers.count("Transfer-Encoding");
  const std::size_t lengths = headers.count("Content-Length");
  if (encodings > 0) {
    if (lengths > 0) return refuse("Transfer-Encoding and Content-Length together");
    if (encodings > 1 || !same_name(*headers.find("Transfer-Encoding"), "chunked")) {
      return refuse("a Transfer-Encoding other than `chunked`", 501);
    }
    framing.chunked = true;
    return framing;
  }
  if (lengths > 1) return refuse("several Content-Length fields");
  if (lengths == 0) return framing;
  const std::string& text = *headers.find("Content-Length");
  const bool digits =
      !text.empty() && std::ranges::all_of(text, [](unsigned char c) { return std::isdigit(c); });
  std::uint64_t length = 0;
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), length);
  if (!digits || parsed.ec != std::errc())
    return refuse("a Content-Length that is no number of bytes");
  framing.content_length = length;
  return framing;
}

// HTTP/1.0 connections are never kept: what its proxies do with Connection cannot be known.
bool parse_keep_alive(const Headers& headers, bool http11) {
  for (const auto& [name, value] : headers.all()) {
    if (!same_name(name, "Connection")) continue;
    std::string_view rest = value;
    while (!rest.empty()) {
      const std::size_t comma = std::min(rest.find(','), rest.size());
      const std::string_view option = trimmed(rest.substr(0, comma));
      if (same_name(option, "close")) return false;
      rest.remove_prefix(std::min(rest.size(), comma + 1));
    }
  }
  return http11;
}

bool is_host(std::string_view host) {
  constexpr std::string_view kMarks = "-._~%!$&'()*+,;=:[]";
  return std::ranges::all_of(host, [&](unsigned char c) {
    return std::isalnum(c) || kMarks.find(static_cast<char>(c)) != std::string_view::npos;
  });
}

}  // namespace

bool is_token(std::string_view text) {
  constexpr std::string_view kMarks = "!#$%&'*+-.^_`|~";
  return !text.empty() && std::ranges::all_of(text, [&](unsigned char c) {
    return std::isalnum(c) || kMarks.find(static_cast<char>(c)) != std::string_view::npos;
  });
}

bool is_field_value(std::string_view text) {
  return std::ranges::all_of(text,
                             [](unsigned char c) { return c == '\t' || (c >= 0x20 && c != 0x7F); });
}

bool is_target(std::string_view text) {
  return text.starts_with('/') && std::ranges::all_of(text, [](unsigned char c) {
           return c > 0x20 && c < 0x7F && c != '#';
         });
}

std::expected<std::size_t, HeadError> head_size(std::string_view bytes) {
  std::size_t start = 0;
  while (true) {
    const std::size_t end = bytes.find('\n', start);
    if (end == std::string_view::npos) return 0;
    if (end == 0 || bytes[end - 1] != '\r') return refuse("a line does not end in CRLF");
    if (end - 1 == start && start > 0) return end + 1;
    if (end - 1 == start) return refuse("an empty line where a request should begin");
    start = end + 1;
  }
}

std::expected<ParsedRequest, HeadError> parse_request_head(std::string_view head) {
  const std::string_view line = take_line(head);
  const std::size_t first = line.find(' ');
  const std::size_t last = line.rfind(' ');
  if (first == std::string_view::npos || first == last) return refuse("a malformed request line");
  const std::string_view method = line.substr(0, first);
  const std::string_view target = line.substr(first + 1, last - first - 1);
  const std::string_view version = line.substr(last + 1);
  if (!is_token(method)) return refuse("a malformed method");
  if (version != "HTTP/1.1" && version != "HTTP/1.0")
    return refuse("an unknown version of HTTP", 505);
  if (!is_target(target)) return refuse("a malformed request target");

  ParsedRequest request;
  auto headers = parse_fields(head);
  if (!headers) return std::unexpected(headers.error());
  auto framing = parse_framing(*headers);
  if (!framing) return std::unexpected(framing.error());
  const bool http11 = version == "HTTP/1.1";
  const std::size_t hosts = headers->count("Host");
  if (hosts > 1 || (http11 && hosts == 0)) return refuse("not exactly one Host");
  if (hosts == 1 && !is_host(*headers->find("Host"))) return refuse("a malformed Host");
  if (!http11 && framing->chunked) return refuse("Transfer-Encoding in HTTP/1.0");

  const std::size_t question = std::min(target.find('?'), target.size());
  request.head.method = method;
  request.head.target = target;
  request.head.path = target.substr(0, question);
  if (question < target.size()) request.head.query = target.substr(question + 1);
  request.head.content_length = framing->content_length;
  request.keep_alive = parse_keep_alive(*headers, http11);
  const std::string* expect = headers->find("Expect");
  if (expect != nullptr && !same_name(*expect, "100-continue"))
    return refuse("an unknown Expect", 417);
  request.expects_continue = expect != nullptr && http11;
  request.framing = *framing;
  request.head.headers = std::move(*headers);
  return request;
}

std::expected<ParsedResponse, HeadError> parse_response_head(std::string_view head) {
  const std::string_view line = take_line(head);
  const bool http11 = line.starts_with("HTTP/1.1 ");
  if (!http11 && !line.starts_with("HTTP/1.0 ")) return refuse("an answer that is no HTTP/1.1");
  const std::string_view digits = line.substr(9, 3);
  ParsedResponse response;
  const auto parsed =
      std::from_chars(digits.data(), digits.data() + digits.size(), response.status);
  if (parsed.ec != std::errc() || digits.size() != 3 || parsed.ptr != digits.data() + 3 ||
      response.status < 100 || response.status > 599 || (line.size() > 12 && line[12] != ' ') ||
      !is_field_value(line)) {
    return refuse("an answer with a malformed status");
  }
  auto headers = parse_fields(head);
  if (!headers) return std::unexpected(headers.error());
  auto framing = parse_framing(*headers);
  if (!framing) return std::unexpected(framing.error());
  if (!http11 && framing->chunked) return refuse("Transfer-Encoding in HTTP/1.0");
  response.framing = *framing;
  response.keep_alive = parse_keep_alive(*headers, http11);
  response.headers = std::move(*headers);
  return response;
}

}  // namespace miroir::http
