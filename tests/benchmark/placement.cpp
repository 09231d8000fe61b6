// How long it takes to place a job, and how near to the best it is known to be: ./placement [slots]

#include <fmt/format.h>

#include <chrono>
#include <cstdlib>
#include <random>

#include "sim/place/assign.hpp"
#include "sim/place/search.hpp"
#include "tests/benchmark/synthetic.hpp"

namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

}  // namespace

/// Nodes of 4,096 under rail leaves with an 8:1 way out; a third of them is taken at random.
int main(int argc, char** argv) {
  using namespace sim;
  const int slots = argc > 1 ? std::atoi(argv[1]) : 512;
  const auto cluster = benchmark::cluster_for(4096 * 8, 8);
  const topology::NetworkTree tree = topology::network_tree(*cluster);
  std::mt19937 random(1);
  place::Request request;
  for (int node = 0; node < 4096; ++node)
    if (random() % 3 != 0) request.free.push_back(node);
  fmt::print("{} domains, {} of 4,096 nodes free, {} needed\n", tree.domains.size(),
             request.free.size(), slots);
  for (const int pipeline : {1, 4, 16}) {
    const benchmark::Size size{.data = slots / pipeline, .pipeline = pipeline};
    const std::vector<topology::GpuId> gpus = benchmark::in_order(size.ranks());
    const StepGraph graph = benchmark::synthetic_step(size, *cluster);
    auto start = Clock::now();
    const place::StepDemand demand = place::demand_of(graph, *cluster, gpus, 8);
    const double reading = seconds_since(start);
    std::size_t edges = 0;
    for (const place::Demand& one : demand.demands) edges += one.edges.size();
    const std::vector<place::Site> sites = place::sites_of(request.free, *cluster, tree, {});
    const place::Ground ground(demand, *cluster, tree, sites);
    const auto in_order = place::in_cluster_order(ground, {});
    start = Clock::now();
    for (int i = 0; i < 10; ++i) place::cost_of(ground, in_order->site_of_slot);
    const double look = seconds_since(start) / 10;
    start = Clock::now();
    const auto answer = place::assign(demand, *cluster, tree, request, graph.grid, 8);
    fmt::print(
        "pp {:2}: demand {:.2f} s, {} edges, a placement {:.2f} ms, assigned in {:.2f} s: step "
        "{:.3f} ms, bound {:.3f}, gap {:.2f} %, in order {:.3f} ms ({})\n",
        pipeline, reading, edges, 1e3 * look, seconds_since(start), 1e3 * answer->best.cost.step,
        1e3 * answer->bound, 100 * (1 - answer->bound / answer->best.cost.step),
        1e3 * answer->in_order.cost.step, answer->best.how);
  }
}
