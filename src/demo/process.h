#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"

namespace miroir::demo {

// A child process of the demo, in its own output file. Killed when destroyed, and only it, by its
// id.
class Process {
 public:
  Process() = default;
  static Result<Process> start(std::vector<std::string> arguments, const std::string& log_path);
  Process(Process&& other) noexcept : pid_(std::exchange(other.pid_, -1)) {}
  Process& operator=(Process&& other) noexcept;
  ~Process();

  pid_t pid() const { return pid_; }
  bool running() const { return pid_ > 0; }
  void kill_hard();              // kill -9, and waits
  void interrupt();              // SIGTERM, and waits
  void release() { pid_ = -1; }  // leaves it running

 private:
  explicit Process(pid_t pid) : pid_(pid) {}
  void end(int signal);
  pid_t pid_ = -1;
};

// A port of the loopback that is free now.
Result<std::uint16_t> free_port();
// The path of this program.
std::string own_path();

}  // namespace miroir::demo
