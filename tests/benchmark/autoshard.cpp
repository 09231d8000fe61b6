// How long it takes to make the problem of a model on a mesh, and to solve it. Prices are round
// numbers of H100 nodes: what is measured is the solver.

#include <fmt/format.h>

#include <chrono>
#include <string>
#include <string_view>
#include <vector>

#include "strategies/autoshard/graph_problem.hpp"
#include "strategies/autoshard/model_graph.hpp"
#include "strategies/autoshard/solve.hpp"

namespace {

using namespace strategies::autoshard;  // NOLINT: one file, one purpose
using Clock = std::chrono::steady_clock;

/// 700 TFLOP/s and 2.5 TB/s a GPU; a last mesh dim of 8 or less lies in a node.
class RoundPrices : public Prices {
 public:
  explicit RoundPrices(const strategies::placement::Mesh& mesh) : mesh_(mesh) {}
  base::Seconds kernel(const base::Kernel& kernel) const override {
    return base::Seconds::from_us(4 + std::max(base::flop_of(kernel).count() / 700e6,
                                               base::bytes_of(kernel).as_double() / 2.5e6));
  }
  base::Seconds collective(base::Collective op, base::Bytes bytes,
                           const std::vector<int>& dims) const override {
    const bool in_node = dims.size() == 1 && dims[0] == mesh_.dims() - 1;
    int ranks = 1;
    for (const int dim : dims) ranks *= mesh_.extent(dim);
    const double rate = in_node ? 350e3 : dims.back() == mesh_.dims() - 1 ? 300e3 : 45e3;
    return base::Seconds::from_us((in_node ? 15 : 40) +
                                  bytes.as_double() * base::bus_factor(op, ranks) / rate);
  }

 private:
  const strategies::placement::Mesh& mesh_;
};

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

strategies::ModelSpec model_named(std::string_view name) {
  const std::string path =
      fmt::format("{}/scenarios/models/{}/config.json", FORESHARD_SOURCE_DIR, name);
  return strategies::read_hf_config(base::read_file(path).value(), path).value();
}

}  // namespace

int main() {
  struct Case {
    std::string_view model;
    std::vector<int> mesh;
    std::int64_t batch;
    double memory_gb;
  };
  fmt::print("{:<14} {:<8} {:>7} {:>6} {:>8} {:>8} {:>9} {:>9} {:>10} {:>9} {:>8}\n", "model",
             "mesh", "memory", "nodes", "choices", "make s", "price s", "solve s", "step ms",
             "gap %", "GB");
  for (const Case& one : {Case{"llama-3.1-8b", {64}, 64, 80},
                          {"llama-3.1-8b", {8, 8}, 64, 1000},
                          {"llama-3.1-8b", {8, 8}, 64, 80},
                          {"llama-3.1-8b", {8, 8}, 64, 16},
                          {"llama-3.1-8b", {8, 8}, 64, 50},
                          {"llama-3.1-8b", {8, 8}, 64, 42},
                          {"llama-3.1-70b", {32, 8}, 32, 75},
                          {"llama-3.1-70b", {8, 8, 4}, 32, 1000},
                          {"llama-3.1-70b", {8, 8, 4}, 32, 80}}) {
    const strategies::placement::Mesh mesh(one.mesh);
    const RoundPrices prices(mesh);
    auto start = Clock::now();
    const Problem problem =
        make_problem(model_graph(model_named(one.model), {one.batch, 8192}, {}), mesh, prices, {});
    const double making = seconds_since(start);
    start = Clock::now();
    const Pricing pricing(problem);
    const double pricing_time = seconds_since(start);
    start = Clock::now();
    SolveOptions options;
    options.memory.high = one.memory_gb * 1e9;
    const auto solution = solve(pricing, options);
    const double solving = seconds_since(start);
    std::size_t choices = 0;
    for (const ProblemNode& node : problem.nodes) choices += node.choices.size();
    fmt::print("{:<14} {:<8} {:>7} {:>6} {:>8} {:>8.2f} {:>9.2f} {:>9.2f} ", one.model,
               fmt::format("{}", fmt::join(one.mesh, "x")), one.memory_gb, problem.nodes.size(),
               choices, making, pricing_time, solving);
    if (solution)
      fmt::print("{:>10.2f} {:>9.4f} {:>8.2f}\n", solution->time.ms(),
                 100 * (1 - solution->bound / solution->time), solution->memory_bytes * 1e-9);
    else
      fmt::print("no solution {}: {:.2f} GB\n", static_cast<int>(solution.error().reason),
                 solution.error().nearest_bytes * 1e-9);
    std::fflush(stdout);
  }
}
