#include <algorithm>
#include <boost/graph/adjacency_list.hpp>
#include <boost/graph/boykov_kolmogorov_max_flow.hpp>
#include <boost/property_map/property_map.hpp>
#include <cstdint>
#include <map>
#include <numeric>
#include <utility>
#include <vector>

#include "topology/network_tree.hpp"
#include "topology/survey.hpp"

namespace topology {

namespace {

using Traits = boost::adjacency_list_traits<boost::vecS, boost::vecS, boost::directedS>;
struct Pipe {
  std::int64_t capacity = 0;
  std::int64_t residual = 0;
  Traits::edge_descriptor reverse;
};
using Network =
    boost::adjacency_list<boost::vecS, boost::vecS, boost::directedS, boost::no_property, Pipe>;

/// Nodes in the order of their domains, depth first.
std::vector<int> in_domain_order(const Cluster& cluster) {
  const NetworkTree tree = network_tree(cluster);
  std::vector<std::vector<int>> children(tree.domains.size());
  for (std::size_t i = 1; i < tree.domains.size(); ++i)
    children[static_cast<std::size_t>(tree.domains[i].parent)].push_back(static_cast<int>(i));
  std::vector<int> rank(tree.domains.size(), 0);
  std::vector<int> stack{0};
  for (int next = 0; !stack.empty(); ++next) {
    const auto at = static_cast<std::size_t>(stack.back());
    stack.pop_back();
    rank[at] = next;
    stack.insert(stack.end(), children[at].rbegin(), children[at].rend());
  }
  std::vector<int> order(cluster.nodes().size());
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(), [&](int a, int b) {
    return rank[static_cast<std::size_t>(tree.home[static_cast<std::size_t>(a)])] <
           rank[static_cast<std::size_t>(tree.home[static_cast<std::size_t>(b)])];
  });
  return order;
}

/// Switches, and in place of each half of the nodes one end of the flow.
class Halves {
 public:
  explicit Halves(const Cluster& cluster) : cluster_(cluster) {
    const std::vector<int> order = in_domain_order(cluster);
    half_.resize(order.size());
    for (std::size_t i = 0; i < order.size(); ++i)
      half_[static_cast<std::size_t>(order[i])] = i < order.size() / 2 ? source : sink;
    vertex_.resize(cluster.device_count());
    int vertices = 2;
    for (DeviceId id = 0; id < cluster.device_count(); ++id) {
      const Device& device = cluster.device(id);
      vertex_[id] = device.node >= 0 ? half_[static_cast<std::size_t>(device.node)] : vertices++;
    }
    network_ = Network(static_cast<std::size_t>(vertices));
  }

  base::BytesPerSecond flow() {
    std::map<std::pair<int, int>, std::int64_t> pipes;
    for (LinkId id = 0; id < cluster_.link_count(); ++id) {
      const Link& link = cluster_.link(id);
      const int from = vertex_[link.from];
      const int to = vertex_[link.to];
      if (!link.down && from != to)
        pipes[{from, to}] += static_cast<std::int64_t>(link.rate.byte());
    }
    for (const auto& [ends, capacity] : pipes) {
      const auto back = pipes.find({ends.second, ends.first});
      if (ends.first < ends.second || back == pipes.end())
        add(ends.first, ends.second, capacity, back == pipes.end() ? 0 : back->second);
    }
    const std::int64_t most = boost::boykov_kolmogorov_max_flow(
        network_, boost::get(&Pipe::capacity, network_), boost::get(&Pipe::residual, network_),
        boost::get(&Pipe::reverse, network_), boost::get(boost::vertex_index, network_), source,
        sink);
    return base::BytesPerSecond::from_byte(static_cast<double>(most));
  }

 private:
  static constexpr int source = 0;
  static constexpr int sink = 1;

  void add(int a, int b, std::int64_t there, std::int64_t back) {
    const auto out = boost::add_edge(static_cast<std::size_t>(a), static_cast<std::size_t>(b),
                                     Pipe{there, 0, {}}, network_)
                         .first;
    const auto in = boost::add_edge(static_cast<std::size_t>(b), static_cast<std::size_t>(a),
                                    Pipe{back, 0, {}}, network_)
                        .first;
    network_[out].reverse = in;
    network_[in].reverse = out;
  }

  const Cluster& cluster_;
  std::vector<int> half_;    ///< by node
  std::vector<int> vertex_;  ///< by device
  Network network_;
};

}  // namespace

base::BytesPerSecond bisection(const Cluster& cluster) {
  if (cluster.nodes().size() < 2) return {};
  return Halves(cluster).flow();
}

}  // namespace topology
