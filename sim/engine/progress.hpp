#pragma once

#include <cstddef>
#include <limits>
#include <vector>

#include "sim/step_graph.hpp"

namespace sim::engine {

/// A run of kernels and of collectives that they wait for, when the kernels run at a speed that
/// changes: collectives of other streams take part of the GPU from them.
class Progress {
 public:
  /// What share of their full speed kernels have.
  struct Speed {
    double arithmetic = 1;  ///< those that SMs limit
    double streaming = 1;   ///< those that memory bandwidth limits

    bool operator==(const Speed&) const = default;
  };
  /// Kernels one after the other, and beside them something of a fixed length; over when both are.
  struct Part {
    double arithmetic = 0;  ///< seconds at full speed
    double streaming = 0;
    double fixed = 0;  ///< seconds at any speed

    double at(const Speed& speed) const;
  };

  /// What `piece` takes beside a collective of `collective` seconds.
  static Part part_of(const Piece& piece, double collective);
  /// Adds a part; kernels in a row are one, and so are waits in a row.
  static void append(std::vector<Part>& parts, const Part& part);

  /// `parts` must outlive the run.
  void start(const std::vector<Part>& parts, double now);
  void set_speed(double now, const Speed& speed);
  /// When all parts will be over, at the present speed.
  double end() const;

  /// What runs.
  enum class Doing { nothing, arithmetic, streaming };
  struct Now {
    Doing doing = Doing::nothing;
    double until = std::numeric_limits<double>::infinity();  ///< at the present speed
  };
  /// What runs just after `now`, which is not before the last change of speed; `until` is later.
  Now at(double now) const;

 private:
  void advance(double now);

  const std::vector<Part>* parts_ = nullptr;
  std::size_t part_ = 0;  ///< the one that runs
  Part left_;             ///< of it
  double since_ = 0;      ///< as of then
  Speed speed_;
};

}  // namespace sim::engine
