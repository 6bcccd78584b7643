#include "base/logging.h"

#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <memory>

#include "base/clock.h"
#include "base/json.h"
#include "base/json_scan.h"

namespace miroir {
namespace {

struct Sink {
  std::shared_ptr<spdlog::logger> logger;
  LogFormat format = LogFormat::kText;
};

void set_pattern(Sink& sink) {
  sink.logger->set_pattern(sink.format == LogFormat::kJson ? "%v" : "%Y-%m-%dT%H:%M:%S.%fZ %l %v",
                           spdlog::pattern_time_type::utc);
}

// The process's one log; replaced once, at the start.
Sink& sink() {
  static Sink the_sink = [] {
    Sink made{std::make_shared<spdlog::logger>("miroir",
                                               std::make_shared<spdlog::sinks::stderr_sink_mt>()),
              LogFormat::kText};
    set_pattern(made);
    made.logger->flush_on(spdlog::level::info);
    return made;
  }();
  return the_sink;
}

spdlog::level::level_enum level_of(LogLevel level) {
  switch (level) {
    case LogLevel::kDebug:
      return spdlog::level::debug;
    case LogLevel::kInfo:
      return spdlog::level::info;
    case LogLevel::kWarning:
      return spdlog::level::warn;
    case LogLevel::kError:
      return spdlog::level::err;
  }
  return spdlog::level::err;
}

// Log lines are UTF-8 whatever a peer sent: a string that is not shows its other bytes as `?`.
std::string printable(std::string text) {
  if (is_utf8(text)) return text;
  for (char& c : text) {
    if (static_cast<unsigned char>(c) >= 0x80) c = '?';
  }
  return text;
}

Json value_of(const LogField& field) {
  if (const auto* text = std::get_if<std::string>(&field.value)) return Json(printable(*text));
  return std::visit([](const auto& value) { return Json(value); }, field.value);
}

std::string text_line(std::string_view event, std::initializer_list<LogField> fields) {
  std::string line(event);
  for (const LogField& field : fields) {
    line += ' ';
    line += field.key;
    line += '=';
    append_text(line, value_of(field));
  }
  return line;
}

std::string json_line(LogLevel level, std::string_view event,
                      std::initializer_list<LogField> fields) {
  const auto now = std::chrono::time_point_cast<Microseconds>(std::chrono::system_clock::now());
  Json line = Json::object({{"time", to_rfc3339(now)},
                            {"level", spdlog::level::to_string_view(level_of(level)).data()},
                            {"event", event}});
  for (const LogField& field : fields) line.set(field.key, value_of(field));
  return to_text(line);
}

}  // namespace

void log(LogLevel level, std::string_view event, std::initializer_list<LogField> fields) {
  Sink& out = sink();
  if (!out.logger->should_log(level_of(level))) return;
  out.logger->log(level_of(level), out.format == LogFormat::kJson ? json_line(level, event, fields)
                                                                  : text_line(event, fields));
}

void configure_logging(LogLevel lowest, LogFormat format) {
  Sink& out = sink();
  out.format = format;
  out.logger->set_level(level_of(lowest));
  set_pattern(out);
}

}  // namespace miroir
