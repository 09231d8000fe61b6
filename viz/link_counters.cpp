#include "viz/link_counters.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "topology/upgrade.hpp"

namespace viz {

std::vector<LinkCounter> busiest_links(const topology::Cluster& cluster,
                                       const sim::LinkCourses& courses,
                                       const std::vector<double>& utilisation, std::size_t count) {
  std::vector<topology::LinkId> order;
  std::vector<int> alike(courses.distinct.size(), 0);
  for (topology::LinkId id = 0; id < courses.of_link.size(); ++id) {
    const int course = courses.of_link[id];
    if (course < 0 || topology::is_inside_node(cluster, cluster.link(id))) continue;
    order.push_back(id);
    ++alike[static_cast<std::size_t>(course)];
  }
  std::stable_sort(order.begin(), order.end(), [&](topology::LinkId a, topology::LinkId b) {
    return utilisation[a] > utilisation[b];
  });
  std::vector<LinkCounter> counters;
  std::vector<bool> told(courses.distinct.size(), false);
  for (const topology::LinkId id : order) {
    const auto course = static_cast<std::size_t>(courses.of_link[id]);
    if (told[course]) continue;
    if (counters.size() == count) break;
    told[course] = true;
    const topology::Link& link = cluster.link(id);
    std::string name =
        fmt::format("{} -> {}", cluster.device(link.from).name, cluster.device(link.to).name);
    if (alike[course] > 1) name += fmt::format(", {} alike", alike[course]);
    counters.push_back({std::move(name), courses.distinct[course]});
  }
  return counters;
}

}  // namespace viz
