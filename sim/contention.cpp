#include "sim/contention.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace sim {

namespace {

using Link = ContentionReport::Link;

constexpr std::size_t links_max = 10;
/// No finer than a table shows.
constexpr double equal = 1e-3;

bool near(const std::vector<base::Bytes>& a, const std::vector<base::Bytes>& b) {
  return std::equal(a.begin(), a.end(), b.begin(), [](base::Bytes x, base::Bytes y) {
    return std::abs(x.as_double() - y.as_double()) <= equal * std::max(x, y).as_double();
  });
}

bool near(const std::vector<double>& a, const std::vector<double>& b) {
  return std::equal(a.begin(), a.end(), b.begin(),
                    [](double x, double y) { return std::abs(x - y) <= equal; });
}

}  // namespace

ContentionReport contention_of(const Ensemble& ensemble, std::span<const std::string> names,
                               std::span<const base::Seconds> alone,
                               std::span<const PlacedStep> jobs, const topology::Cluster& cluster) {
  ContentionReport report;
  for (std::size_t i = 0; i < jobs.size(); ++i) {
    const PlayedJob& job = ensemble.jobs[i];
    report.jobs.push_back({names[i], jobs[i].graph.grid.size(), job.steps, alone[i], job.step,
                           job.shortest, job.longest});
  }
  std::vector<MetLink> met = ensemble.met;
  report.links_met = static_cast<int>(met.size());
  std::erase_if(met, [](const MetLink& one) { return one.busy <= 0 || one.together <= 0; });
  std::stable_sort(met.begin(), met.end(), [](const MetLink& a, const MetLink& b) {
    return std::pair(a.busy, a.together) > std::pair(b.busy, b.together);
  });
  for (const MetLink& one : met) {
    const topology::Link& cable = cluster.link(one.link);
    const topology::Device& from = cluster.device(cable.from);
    const topology::Device& to = cluster.device(cable.to);
    Link link{fmt::format("{} -> {}", from.name, to.name),
              cable.rate,
              {},
              one.active,
              one.together,
              one.busy,
              1};
    for (const double bytes : one.bytes) link.bytes.push_back(base::Bytes::from_double(bytes));
    const auto same =
        std::find_if(report.links.begin(), report.links.end(), [&](const Link& known) {
          return known.rate == link.rate && std::abs(known.busy - link.busy) <= equal &&
                 std::abs(known.together - link.together) <= equal &&
                 near(known.active, link.active) && near(known.bytes, link.bytes);
        });
    if (same != report.links.end())
      ++same->alike;
    else if (report.links.size() < links_max)
      report.links.push_back(std::move(link));
  }
  return report;
}

}  // namespace sim
