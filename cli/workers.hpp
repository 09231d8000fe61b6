#pragma once

#include <array>
#include <cstddef>
#include <functional>
#include <new>
#include <string>
#include <type_traits>
#include <vector>

namespace cli {

/// Calls `work(i, out)` for i from 0 to count - 1, spread over forked processes, one a core; `out`
/// is `bytes` of shared memory for piece i, zero at first. Returns one text a piece: empty, or why
/// it has no result (the exception that ended it, or the signal that ended its process). `progress`
/// gets the share done. Throws base::EnvironmentError when no process can be started.
std::vector<std::string> work_in_processes(int count, std::size_t bytes,
                                           const std::function<void(int, std::byte*)>& work,
                                           const std::function<void(double)>& progress,
                                           const std::function<void(int, const std::byte*)>& take);

/// A result, or why there is none.
template <class T>
struct WorkResult {
  T value{};
  std::string failure;
};

/// `work(i)` for i from 0 to count - 1, in forked processes, results in order.
template <class T>
std::vector<WorkResult<T>> map_in_processes(int count, const std::function<T(int)>& work,
                                            const std::function<void(double)>& progress) {
  static_assert(std::is_trivially_copyable_v<T>, "results cross a process border");
  std::vector<WorkResult<T>> results(static_cast<std::size_t>(count));
  const std::vector<std::string> failures = work_in_processes(
      count, sizeof(T), [&](int i, std::byte* out) { new (out) T(work(i)); }, progress,
      [&](int i, const std::byte* out) {
        results[static_cast<std::size_t>(i)].value = *reinterpret_cast<const T*>(out);
      });
  for (std::size_t i = 0; i < results.size(); ++i) results[i].failure = failures[i];
  return results;
}

/// The same with results of any length up to 64 KiB; a longer one is a failure.
using TextResult = WorkResult<std::string>;
std::vector<TextResult> texts_in_processes(int count, const std::function<std::string(int)>& work,
                                           const std::function<void(double)>& progress);

}  // namespace cli
