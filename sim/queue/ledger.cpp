#include "sim/queue/ledger.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>

namespace sim::queue {

namespace {

constexpr std::size_t samples_max = 200;
constexpr std::size_t links_max = 20;

/// The value that `share` of all do not exceed (nearest rank).
double quantile(std::vector<double> values, double share) {
  if (values.empty()) return 0;
  std::sort(values.begin(), values.end());
  const auto rank = static_cast<std::size_t>(std::ceil(share * static_cast<double>(values.size())));
  return values[std::max<std::size_t>(rank, 1) - 1];
}

double mean(const std::vector<double>& values) {
  if (values.empty()) return 0;
  return std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
}

}  // namespace

Ledger::Ledger(const Tree& tree, const Occupancy& occupancy, const Sharing& sharing)
    : tree_(tree),
      occupancy_(occupancy),
      sharing_(sharing),
      share_time_(tree.levels.size(), 0),
      least_share_(tree.levels.size(), 1),
      uses_(sharing.links().size()) {}

std::vector<double> Ledger::fragmentation() const {
  std::vector<double> shares;
  std::vector<int> idle;
  for (const Tree::Level& level : tree_.levels) {
    idle.assign(level.domains.size(), 0);
    int all = 0;
    for (int node = 0; node < occupancy_.nodes(); ++node)
      if (occupancy_.idle(node)) {
        ++idle[static_cast<std::size_t>(level.of_node[static_cast<std::size_t>(node)])];
        ++all;
      }
    if (all == 0) return {};
    shares.push_back(static_cast<double>(*std::max_element(idle.begin(), idle.end())) / all);
  }
  return shares;
}

void Ledger::advance(double now, int running, std::size_t waiting) {
  const double time = begun_ ? now - since_ : 0;
  begun_ = true;
  since_ = now;
  if (time <= 0) return;
  std::vector<double> shares = fragmentation();
  if (!shares.empty()) {
    free_time_ += time;
    for (std::size_t level = 0; level < shares.size(); ++level) {
      share_time_[level] += time * shares[level];
      least_share_[level] = std::min(least_share_[level], shares[level]);
    }
  }
  for (std::size_t link = 0; link < uses_.size(); ++link) {
    const Sharing::Link& now_on = sharing_.links()[link];
    if (now_on.users < 2 || now_on.asked <= 1 + 1e-6) continue;
    uses_[link].seconds += time;
    uses_[link].worst = std::max(uses_[link].worst, now_on.asked);
    uses_[link].jobs_at_once = std::max(uses_[link].jobs_at_once, now_on.users);
  }
  if (!samples_.empty() && now - samples_.back().time < sample_every_) return;
  Sample sample{now, running, static_cast<int>(waiting), 0, std::move(shares)};
  for (int node = 0; node < occupancy_.nodes(); ++node)
    sample.free_gpus += occupancy_.free_of(node);
  if (sample.fragmentation.empty()) sample.fragmentation.assign(tree_.levels.size(), 1);
  samples_.push_back(std::move(sample));
  if (samples_.size() > samples_max) thin_out();
}

/// Keeps every other sample, and takes new ones half as often.
void Ledger::thin_out() {
  for (std::size_t i = 1; 2 * i < samples_.size(); ++i) samples_[i] = std::move(samples_[2 * i]);
  samples_.resize((samples_.size() + 1) / 2);
  sample_every_ =
      (samples_.back().time - samples_.front().time) / static_cast<double>(samples_.size());
}

void Ledger::summarise(QueueReport& report) const {
  std::vector<double> queued;
  std::vector<double> slowdown;
  std::vector<double> contention;
  double first = report.jobs.empty() ? 0 : report.jobs.front().arrival;
  double last = first;
  double handed_out = 0;
  for (const JobOutcome& job : report.jobs) {
    queued.push_back(job.queued());
    slowdown.push_back(job.ran() / job.alone);
    contention.push_back(job.ran() / job.spread);
    first = std::min(first, job.arrival);
    last = std::max(last, job.end);
    handed_out += job.ran() * job.gpus;
  }
  double gpus = 0;
  for (int node = 0; node < occupancy_.nodes(); ++node) gpus += occupancy_.gpus_of(node);
  report.makespan = last - first;
  report.queued_mean = mean(queued);
  report.queued_median = quantile(queued, 0.5);
  report.queued_p95 = quantile(queued, 0.95);
  report.slowdown_mean = mean(slowdown);
  report.slowdown_worst = quantile(slowdown, 1);
  report.contention_mean = mean(contention);
  report.utilisation = report.makespan > 0 ? handed_out / (gpus * report.makespan) : 0;
  for (std::size_t level = 1; level + 1 < tree_.levels.size(); ++level)
    report.fragmentation.push_back({tree_.levels[level].name,
                                    free_time_ > 0 ? share_time_[level] / free_time_ : 1,
                                    least_share_[level]});
  report.samples = samples_;
  for (Sample& sample : report.samples) {
    sample.fragmentation.pop_back();  // the nodes
    sample.fragmentation.erase(sample.fragmentation.begin());
  }
  for (std::size_t link = 0; link < uses_.size(); ++link) {
    if (uses_[link].seconds <= 0) continue;
    const Sharing::Link& where = sharing_.links()[link];
    const Tree::Level& level = tree_.levels[where.level];
    report.links.push_back({fmt::format("{} {}", where.out ? "out of" : "into",
                                        level.domains[static_cast<std::size_t>(where.domain)]),
                            level.name, where.rate, uses_[link].seconds, uses_[link].worst,
                            uses_[link].jobs_at_once});
  }
  report.links_contended = report.links.size();
  std::stable_sort(report.links.begin(), report.links.end(),
                   [](const ContendedLink& a, const ContendedLink& b) {
                     return a.seconds * (a.worst - 1) > b.seconds * (b.worst - 1);
                   });
  if (report.links.size() > links_max) report.links.resize(links_max);
}

}  // namespace sim::queue
