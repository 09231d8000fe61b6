#pragma once

#include <functional>
#include <string>
#include <string_view>

namespace cli {

/// One line that says how far a long piece of work is and how long it will still take. Says nothing
/// in the first two seconds, then redraws itself at most ten times a second, and wipes itself off.
class Progress {
 public:
  struct Device {
    std::function<void(std::string_view)> write;
    std::function<double()> now;  ///< seconds, from any start
  };

  /// On stderr when that is a terminal; silent otherwise.
  explicit Progress(std::string what);
  Progress(std::string what, Device device);
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  /// `share` of the work is done, 0 to 1.
  void update(double share);

 private:
  std::string what_;
  Device device_;
  double start_ = 0;
  double drawn_ = 0;
  bool visible_ = false;
};

}  // namespace cli
