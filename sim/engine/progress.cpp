#include "sim/engine/progress.hpp"

#include <algorithm>

namespace sim::engine {

double Progress::Part::at(const Speed& speed) const {
  return std::max(arithmetic / speed.arithmetic + streaming / speed.streaming, fixed);
}

Progress::Part Progress::part_of(const Piece& piece, double collective) {
  // The host that launches kernels is not slowed by what the GPU does.
  if (piece.phase == Phase::host || piece.phase == Phase::allocator)
    return {0, 0, std::max(piece.compute.s(), collective)};
  return {(piece.compute - piece.streaming).s(), piece.streaming.s(), collective};
}

void Progress::append(std::vector<Part>& parts, const Part& part) {
  const auto kernels = [](const Part& p) { return p.arithmetic + p.streaming > 0; };
  if (!parts.empty()) {
    Part& last = parts.back();
    const bool both_kernels = part.fixed == 0 && last.fixed == 0;
    const bool both_waits = !kernels(part) && !kernels(last);
    if (both_kernels || both_waits) {
      last.arithmetic += part.arithmetic;
      last.streaming += part.streaming;
      last.fixed += part.fixed;
      return;
    }
  }
  parts.push_back(part);
}

void Progress::start(const std::vector<Part>& parts, double now) {
  parts_ = &parts;
  part_ = 0;
  left_ = parts.empty() ? Part{} : parts.front();
  since_ = now;
  speed_ = {};
}

void Progress::set_speed(double now, const Speed& speed) {
  if (speed == speed_) return;
  advance(now);
  speed_ = speed;
}

double Progress::end() const {
  double time = since_ + left_.at(speed_);
  for (std::size_t i = part_ + 1; i < parts_->size(); ++i) time += (*parts_)[i].at(speed_);
  return time;
}

Progress::Now Progress::at(double now) const {
  // What ends now has ended, whatever its sum was rounded to: an instant later is what counts.
  constexpr double instant = 1e-9;
  Progress later = *this;
  later.advance(now + instant);
  const Part& left = later.left_;
  if (left.arithmetic > 0)
    return {Doing::arithmetic, later.since_ + left.arithmetic / speed_.arithmetic};
  if (left.streaming > 0)
    return {Doing::streaming, later.since_ + left.streaming / speed_.streaming};
  if (left.fixed > 0) return {Doing::nothing, later.since_ + left.fixed};
  return {};
}

void Progress::advance(double now) {
  double time = now - since_;
  since_ = now;
  for (double rest = left_.at(speed_); time >= rest; rest = left_.at(speed_)) {
    time -= rest;
    left_ = {};
    if (part_ + 1 >= parts_->size()) return;
    left_ = (*parts_)[++part_];
  }
  left_.fixed = std::max(0.0, left_.fixed - time);
  const double arithmetic = std::min(time, left_.arithmetic / speed_.arithmetic);
  left_.arithmetic = std::max(0.0, left_.arithmetic - arithmetic * speed_.arithmetic);
  left_.streaming = std::max(0.0, left_.streaming - (time - arithmetic) * speed_.streaming);
}

}  // namespace sim::engine
