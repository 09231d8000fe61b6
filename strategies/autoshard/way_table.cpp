#include "strategies/autoshard/way_table.hpp"

#include <algorithm>
#include <functional>
#include <limits>
#include <queue>
#include <tuple>

#include "base/check.hpp"

namespace strategies::autoshard {

WayTable::WayTable(const LayoutGraph& graph, bool still)
    : layouts_(static_cast<int>(graph.layouts.size())) {
  const std::size_t n = graph.layouts.size();
  time_.assign(n * n, std::numeric_limits<double>::infinity());
  arcs_.assign(n * n, 0);
  last_arc_.assign(n * n, -1);
  std::vector<std::vector<int>> leaving(n);
  for (std::size_t a = 0; a < graph.arcs.size(); ++a) {
    const Arc& arc = graph.arcs[a];
    CHECK_INVARIANT(arc.time >= base::Seconds{});
    arc_sources_.push_back(arc.from);
    if (!still || !arc.op)
      leaving[static_cast<std::size_t>(arc.from)].push_back(static_cast<int>(a));
  }
  // Dijkstra from every layout; (time, arcs, layout) orders the queue, so ties end the same way.
  using Entry = std::tuple<double, int, int>;
  for (int from = 0; from < layouts_; ++from) {
    std::priority_queue<Entry, std::vector<Entry>, std::greater<>> queue;
    time_[at(from, from)] = 0;
    queue.emplace(0.0, 0, from);
    while (!queue.empty()) {
      const auto [time, arcs, here] = queue.top();
      queue.pop();
      if (std::tie(time, arcs) > std::tie(time_[at(from, here)], arcs_[at(from, here)])) continue;
      for (const int a : leaving[static_cast<std::size_t>(here)]) {
        const Arc& arc = graph.arcs[static_cast<std::size_t>(a)];
        const std::size_t there = at(from, arc.to);
        const auto candidate = std::make_tuple(time + arc.time.s(), arcs + 1, a);
        if (candidate >= std::make_tuple(time_[there], arcs_[there], last_arc_[there])) continue;
        std::tie(time_[there], arcs_[there], last_arc_[there]) = candidate;
        queue.emplace(std::get<0>(candidate), arcs + 1, arc.to);
      }
    }
  }
}

std::vector<int> WayTable::way(int from, int to) const {
  CHECK_INVARIANT(time(from, to) < std::numeric_limits<double>::infinity());
  std::vector<int> arcs;
  for (int here = to; here != from; here = arc_sources_[static_cast<std::size_t>(arcs.back())])
    arcs.push_back(last_arc_[at(from, here)]);
  std::reverse(arcs.begin(), arcs.end());
  return arcs;
}

}  // namespace strategies::autoshard
