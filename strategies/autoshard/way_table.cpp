#include "strategies/autoshard/way_table.hpp"

namespace strategies::autoshard {

WayTable::WayTable(const LayoutGraph& graph, Travel travel) : graph_(graph) {
  for (int from = 0; from < static_cast<int>(graph.layouts.size()); ++from)
    ways_.push_back(cheapest_ways(graph, from, travel));
}

}  // namespace strategies::autoshard
