#pragma once

#include <cstddef>
#include <vector>

namespace sim::engine {

/// A run of kernels and of collectives that they wait for, when the kernels run at a speed that
/// changes: collectives of other streams take part of the GPU from them.
class Progress {
 public:
  /// Both at once: over when both are.
  struct Part {
    double kernels = 0;  ///< seconds at full speed
    double fixed = 0;    ///< seconds at any speed
  };

  /// `parts` must outlive the run.
  void start(const std::vector<Part>& parts, double now, double speed);
  void set_speed(double now, double speed);
  /// When all parts will be over, at the present speed.
  double end() const;

 private:
  void advance(double now);

  const std::vector<Part>* parts_ = nullptr;
  std::size_t part_ = 0;  ///< the one that runs
  Part left_;             ///< of it
  double since_ = 0;      ///< as of then
  double speed_ = 1;
};

}  // namespace sim::engine
