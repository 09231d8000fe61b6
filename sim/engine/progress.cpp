#include "sim/engine/progress.hpp"

#include <algorithm>

namespace sim::engine {

void Progress::start(const std::vector<Part>& parts, double now, double speed) {
  parts_ = &parts;
  part_ = 0;
  left_ = parts.empty() ? Part{} : parts.front();
  since_ = now;
  speed_ = speed;
}

void Progress::set_speed(double now, double speed) {
  advance(now);
  speed_ = speed;
}

double Progress::end() const {
  double time = since_ + std::max(left_.kernels / speed_, left_.fixed);
  for (std::size_t i = part_ + 1; i < parts_->size(); ++i)
    time += std::max((*parts_)[i].kernels / speed_, (*parts_)[i].fixed);
  return time;
}

void Progress::advance(double now) {
  double time = now - since_;
  since_ = now;
  for (;;) {
    const double rest = std::max(left_.kernels / speed_, left_.fixed);
    if (time < rest) {
      left_.kernels = std::max(0.0, left_.kernels - time * speed_);
      left_.fixed = std::max(0.0, left_.fixed - time);
      return;
    }
    time -= rest;
    left_ = {};
    if (part_ + 1 >= parts_->size()) return;
    left_ = (*parts_)[++part_];
  }
}

}  // namespace sim::engine
