#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <vector>

namespace sim::engine {

/// SimGrid: max-min fair sharing of links, and the clock while transfers share. One per process.
class Solver {
 public:
  struct Callbacks {
    std::function<void(double now)> woken;                    ///< a date asked for has come
    std::function<void(std::uint32_t id, double now)> ended;  ///< a transfer has arrived
  };

  explicit Solver(const std::vector<double>& link_rate);
  ~Solver();
  Solver(const Solver&) = delete;
  Solver& operator=(const Solver&) = delete;

  /// Starts a transfer at the clock, at no more than `rate`. A link that is named k times carries
  /// it k times (SimGrid adds up the weights). `id` must be free again before it is used anew.
  void start(std::uint32_t id, std::span<const std::uint32_t> links, double bytes, double rate);
  /// Takes a transfer off; returns the bytes that are left.
  double stop(std::uint32_t id);
  std::size_t active() const;
  /// Calls `woken` when the clock reaches `date`.
  void wake_at(double date);
  /// Runs until nothing is left to do.
  void run(Callbacks callbacks);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace sim::engine
