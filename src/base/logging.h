#pragma once

#include <concepts>
#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <variant>

namespace miroir {

enum class LogLevel { kDebug, kInfo, kWarning, kError };
enum class LogFormat { kText, kJson };

struct LogField {
  std::string_view key;
  std::variant<std::string, std::int64_t, double, bool> value;

  LogField(std::string_view k, std::string_view v) : key(k), value(std::string(v)) {}
  LogField(std::string_view k, const char* v) : key(k), value(std::string(v)) {}
  LogField(std::string_view k, const std::string& v) : key(k), value(v) {}
  LogField(std::string_view k, bool v) : key(k), value(v) {}
  LogField(std::string_view k, double v) : key(k), value(v) {}
  template <std::integral I>
  LogField(std::string_view k, I v) : key(k), value(static_cast<std::int64_t>(v)) {}
};

// Structured lines on standard error: {"time":…,"level":…,"event":…,fields…} or their text form.
// `event` is a constant phrase, what varies goes into fields. Never log keys, tokens or bodies.
// Thread-safe.
void log(LogLevel level, std::string_view event, std::initializer_list<LogField> fields = {});
inline void log_debug(std::string_view e, std::initializer_list<LogField> f = {}) {
  log(LogLevel::kDebug, e, f);
}
inline void log_info(std::string_view e, std::initializer_list<LogField> f = {}) {
  log(LogLevel::kInfo, e, f);
}
inline void log_warning(std::string_view e, std::initializer_list<LogField> f = {}) {
  log(LogLevel::kWarning, e, f);
}
inline void log_error(std::string_view e, std::initializer_list<LogField> f = {}) {
  log(LogLevel::kError, e, f);
}

// Once, at the start of the process, before other threads run.
void configure_logging(LogLevel lowest, LogFormat format);

}  // namespace miroir
