#pragma once

#include <cstdint>
#include <exception>
#include <stdexcept>
#include <string>

/// How runtimes fail: inside they throw, across their C interface they answer.
namespace calibrate::runtime {

struct Failure : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// Does what may fail; 0 when done, else 1 with the reason in `error`.
template <class Action>
std::int32_t guarded(std::string& error, Action action) noexcept {
  try {
    action();
    return 0;
  } catch (const std::exception& failure) {
    error = failure.what();
    return 1;
  }
}

}  // namespace calibrate::runtime
