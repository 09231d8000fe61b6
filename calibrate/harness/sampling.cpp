#include "calibrate/harness/sampling.hpp"

#include <algorithm>
#include <chrono>
#include <cmath>

#include "calibrate/harness/machine.hpp"
#include "calibrate/records.hpp"

namespace calibrate::harness {

namespace {

using Clock = std::chrono::steady_clock;

double since(Clock::time_point begin) {
  return std::chrono::duration<double>(Clock::now() - begin).count();
}

/// Relative standard error of the mean of rank 0's times.
double error_of(const std::vector<double>& seconds) {
  const Times times = times_of(seconds);
  return times.deviation / std::sqrt(static_cast<double>(seconds.size())) / times.mean;
}

}  // namespace

Sampling::Sampling(const Device& device, const World* world)
    : device_(device),
      world_(world),
      stream_(device.stream()),
      host_(device.host()),
      in_turns_(host_ && world != nullptr && ranks_per_device(*world, device) > 1) {}

void Sampling::meet() const {
  if (!host_) device_.synchronise(stream_.get());
  if (world_ != nullptr) world_->agree(0);
}

bool Sampling::throttled_somewhere() const {
  const std::int32_t mine = device_.sensors().throttled;
  if (world_ == nullptr) return mine != 0;
  for (const std::int32_t one : world_->share(std::vector{mine}))
    if (one != 0) return true;
  return false;
}

std::vector<std::vector<double>> Sampling::by_rank(const std::vector<double>& mine) const {
  if (world_ == nullptr) return {mine};
  const std::vector<double> all = world_->share(mine);
  std::vector<std::vector<double>> by;
  const auto each = static_cast<std::ptrdiff_t>(mine.size());
  for (auto at = all.begin(); at != all.end(); at += each) by.emplace_back(at, at + each);
  return by;
}

std::vector<double> Sampling::batch(const std::function<void()>& once, int times) const {
  std::vector<double> seconds;
  if (host_) {
    Clock::time_point last = Clock::now();
    for (int i = 0; i < times; ++i) {
      once();
      const Clock::time_point now = Clock::now();
      seconds.push_back(std::chrono::duration<double>(now - last).count());
      last = now;
    }
    return seconds;
  }
  std::vector<std::shared_ptr<void>> events;
  for (int i = 0; i <= times; ++i) events.push_back(device_.event());
  device_.record(events.front().get(), stream_.get());
  for (int i = 1; i <= times; ++i) {
    once();
    device_.record(events[static_cast<std::size_t>(i)].get(), stream_.get());
  }
  device_.synchronise(stream_.get());
  for (std::size_t i = 1; i < events.size(); ++i)
    seconds.push_back(device_.elapsed(events[i - 1].get(), events[i].get()));
  return seconds;
}

/// Ranks that share a core pause in turn, for longer than a short kernel takes: most of its times
/// are those of a rank that has the core, and some those of several turns. What all ranks together
/// take, from when they have met to when the last is over, has each turn once.
std::vector<double> Sampling::turns(const std::function<void()>& once, int times) const {
  const Clock::time_point begin = Clock::now();
  for (int i = 0; i < times; ++i) once();
  meet();
  return {since(begin) / times};
}

/// How many fill some turns of the scheduler, which last milliseconds.
int Sampling::times_of_turns(const std::function<void()>& once, int least) const {
  constexpr double long_enough = 0.05;
  meet();
  const double each = turns(once, least).front();
  const auto times = static_cast<int>(std::ceil(long_enough / std::max(each, 1e-9)));
  return world_->agree(std::clamp(times, least, 10000));
}

Samples Sampling::take(const std::function<void()>& once, const StopRule& rule) const {
  Samples samples;
  samples.warm_up = rule.warm_up;
  for (int i = 0; i < rule.warm_up; ++i) once();
  const Clock::time_point begin = Clock::now();
  const int in_a_row = in_turns_ ? times_of_turns(once, rule.batch) : rule.batch;
  while (true) {
    meet();
    const auto times = by_rank(in_turns_ ? turns(once, in_a_row) : batch(once, in_a_row));
    const bool out_of_time = since(begin) >= rule.seconds;
    bool enough = out_of_time;
    if (throttled_somewhere()) {
      samples.dropped += static_cast<int>(times.front().size());
    } else {
      samples.of_rank.resize(times.size());
      for (std::size_t rank = 0; rank < times.size(); ++rank)
        samples.of_rank[rank].insert(samples.of_rank[rank].end(), times[rank].begin(),
                                     times[rank].end());
      enough = enough || rule.spread <= 0 || error_of(samples.of_rank.front()) <= rule.spread;
    }
    const std::int32_t end = enough ? 1 : 0;
    if ((world_ == nullptr ? end : world_->agree(end)) != 0) return samples;
  }
}

}  // namespace calibrate::harness
