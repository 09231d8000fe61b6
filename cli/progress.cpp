#include "cli/progress.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <utility>

#include "cli/output.hpp"
#include "viz/terminal.hpp"

namespace cli {

namespace {

constexpr double silent_s = 2;
constexpr double redraw_s = 0.1;
constexpr int bar_width = 24;
constexpr std::string_view wipe = "\r\x1b[K";

double steady_seconds() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

void write_to_stderr(std::string_view text) {
  std::fwrite(text.data(), 1, text.size(), stderr);
  std::fflush(stderr);
}

std::string time_left(double seconds) {
  if (seconds < 60) return fmt::format("{:.0f} s left", std::ceil(seconds));
  if (seconds < 3600) return fmt::format("{:.0f} min left", std::ceil(seconds / 60));
  return fmt::format("{:.1f} h left", seconds / 3600);
}

}  // namespace

Progress::Progress(std::string what)
    : Progress(std::move(what),
               is_terminal(stderr) ? Device{write_to_stderr, steady_seconds} : Device{}) {}

Progress::Progress(std::string what, Device device)
    : what_(std::move(what)), device_(std::move(device)) {
  if (device_.now) start_ = device_.now();
}

Progress::~Progress() {
  if (visible_) device_.write(wipe);
}

void Progress::update(double share) {
  if (!device_.write) return;
  const double now = device_.now();
  const double elapsed = now - start_;
  if (elapsed < silent_s || (visible_ && now - drawn_ < redraw_s)) return;
  drawn_ = now;
  visible_ = true;
  share = std::isfinite(share) ? std::clamp(share, 0.0, 1.0) : 0.0;
  const std::string left = share > 0 ? ", " + time_left(elapsed / share - elapsed) : "";
  device_.write(fmt::format("{}{} [{}] {:.0f} %{}", wipe, what_,
                            viz::fit(viz::bar(share, bar_width), bar_width), share * 100, left));
}

}  // namespace cli
