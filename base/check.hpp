#pragma once

#include <stdexcept>
#include <string>

/// Three kinds of failure, three mechanisms: a mistake of the user is a `base::Result`, a bug of
/// ours aborts with its place (in release builds too), a broken world throws `EnvironmentError`.
namespace base {

/// The world is broken (disk, device, missing program). Caught once, in `main`; exit code 70.
class EnvironmentError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// Prints `file:line: bug: condition` to stderr and aborts.
[[noreturn]] void invariant_failed(const char* file, int line, const char* condition);

}  // namespace base

/// Our bug if it fails, never the user's: nothing a user writes may reach one.
#define CHECK_INVARIANT(condition) \
  ((condition) ? static_cast<void>(0) : ::base::invariant_failed(__FILE__, __LINE__, #condition))
