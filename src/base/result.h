#pragma once

#include <expected>
#include <string>
#include <string_view>
#include <utility>

namespace miroir {

// What kind of failure it is, for whoever must decide what to do about it.
enum class ErrorCode {
  kInvalid,      // the input is wrong; the same input will fail again
  kNotFound,     // the thing named does not exist
  kConflict,     // it exists already, or the state does not allow this
  kUnavailable,  // not now: refused connection, 5xx, overload, full disk; says nothing of the thing
                 // asked
  kTimeout,      // the deadline passed; whether it happened is unknown
  kTooLarge,     // a named limit was exceeded
  kCorrupt,      // a peer or a disk answered what it must not
  kUnsupported,  // we, or the node, do not do that
  kCancelled,    // the owner stopped before the end
  kInternal,
};

std::string_view name(ErrorCode code);

// A failure as a value. `message` is a sentence for people, without a trailing period; context is
// put in front on the way up ("node b1: connection refused").
struct Error {
  ErrorCode code = ErrorCode::kInternal;
  std::string message;

  Error with_context(std::string_view context) &&;
};

template <class T>
using Result = std::expected<T, Error>;

inline std::unexpected<Error> fail(ErrorCode code, std::string message) {
  return std::unexpected(Error{code, std::move(message)});
}

}  // namespace miroir

// MIROIR_TRY(auto value, expression): takes the value, or returns the error from this function.
// MIROIR_CO_TRY is the same inside a coroutine. MIROIR_CHECK / MIROIR_CO_CHECK are for
// Result<void>.
#define MIROIR_JOIN_(a, b) a##b
#define MIROIR_JOIN(a, b) MIROIR_JOIN_(a, b)
#define MIROIR_TRY_(exit, temporary, declaration, ...)                \
  auto temporary = (__VA_ARGS__);                                     \
  if (!temporary) exit std::unexpected(std::move(temporary).error()); \
  declaration = std::move(*temporary)
#define MIROIR_TRY(declaration, ...) \
  MIROIR_TRY_(return, MIROIR_JOIN(try_result_, __LINE__), declaration, __VA_ARGS__)
#define MIROIR_CO_TRY(declaration, ...) \
  MIROIR_TRY_(co_return, MIROIR_JOIN(try_result_, __LINE__), declaration, __VA_ARGS__)
#define MIROIR_CHECK_(exit, temporary, ...) \
  if (auto temporary = (__VA_ARGS__); !temporary) exit std::unexpected(std::move(temporary).error())
#define MIROIR_CHECK(...) MIROIR_CHECK_(return, MIROIR_JOIN(try_result_, __LINE__), __VA_ARGS__)
#define MIROIR_CO_CHECK(...) \
  MIROIR_CHECK_(co_return, MIROIR_JOIN(try_result_, __LINE__), __VA_ARGS__)
