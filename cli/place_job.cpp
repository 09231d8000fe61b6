#include <fmt/format.h>

#include <algorithm>
#include <string_view>
#include <utility>

#include "cli/exit_code.hpp"
#include "cli/output.hpp"
#include "cli/place.hpp"
#include "topology/found_cluster.hpp"

namespace cli {

std::vector<int> nodes_of_job(const std::string& job, const sim::Scenario& scenario) {
  std::vector<std::pair<int, int>> pods;  // index, node
  std::vector<std::string_view> jobs;
  const auto& nodes = scenario.cluster.nodes();
  if (scenario.found)
    for (const topology::FoundNode& found : scenario.found->nodes)
      for (const topology::Occupant& occupant : found.occupants) {
        jobs.emplace_back(occupant.job);
        if (occupant.job != job) continue;
        const auto node = std::find_if(nodes.begin(), nodes.end(),
                                       [&](const auto& one) { return one.name == found.name; });
        if (node != nodes.end())
          pods.emplace_back(occupant.index, static_cast<int>(node - nodes.begin()));
      }
  if (pods.empty()) {
    std::sort(jobs.begin(), jobs.end());
    jobs.erase(std::unique(jobs.begin(), jobs.end()), jobs.end());
    print({{{"--job"},
            fmt::format("no pod of a job '{}' is on a node of the cluster", job),
            jobs.empty() ? "the cluster's dumps tell of no jobs" : base::suggest(job, jobs)}});
    throw CLI::RuntimeError(mistake);
  }
  std::stable_sort(pods.begin(), pods.end());
  if (pods.front().first < 0)
    print({{{"--job"},
            "not every pod tells its index: the order of the nodes is a guess",
            "give them in rank order by --nodes",
            base::Severity::warning}});
  std::vector<int> order;
  for (const auto& [index, node] : pods)
    if (std::find(order.begin(), order.end(), node) == order.end()) order.push_back(node);
  return order;
}

}  // namespace cli
