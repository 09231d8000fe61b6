// How long it takes to lay out the layouts of a tensor on a mesh, and to find all cheapest ways.

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <string>

#include "strategies/autoshard/layout_graph.hpp"

namespace {

using namespace strategies::autoshard;  // NOLINT: one file, one purpose
using Clock = std::chrono::steady_clock;

/// Costs nothing to ask: what is measured is the graph.
class Affine : public Prices {
 public:
  base::Seconds kernel(const base::Kernel& kernel) const override {
    return base::Seconds::from_us(7 + base::bytes_of(kernel).mib() / 2);
  }
  base::Seconds collective(base::Collective, base::Bytes bytes,
                           const std::vector<int>& mesh_dims) const override {
    return base::Seconds::from_us(20 * static_cast<double>(mesh_dims.size()) + bytes.mib() * 3);
  }
};

template <class Work>
double ms_of(const Work& work) {
  double best = 1e30;
  for (int i = 0; i < 5; ++i) {
    const auto start = Clock::now();
    work();
    best = std::min(best, std::chrono::duration<double>(Clock::now() - start).count());
  }
  return 1e3 * best;
}

}  // namespace

int main() {
  struct Case {
    std::vector<int> mesh;
    strategies::placement::Shape shape;
  };
  const Affine prices;
  fmt::print("{:<12} {:<20} {:>8} {:>8} {:>10} {:>14}\n", "mesh", "tensor", "layouts", "arcs",
             "graph ms", "all pairs ms");
  for (const Case& one : {Case{{64}, {4096, 14336}},
                          {{8, 8}, {4096, 14336}},
                          {{8, 8}, {16, 8192, 4096}},
                          {{32, 8}, {64, 32, 8192, 128}},
                          {{8, 8, 4}, {4096, 14336}},
                          {{8, 8, 4}, {64, 8192, 4096}},
                          {{8, 8, 4}, {64, 32, 8192, 128}}}) {
    const strategies::placement::Mesh mesh(one.mesh);
    const TensorType type{one.shape, base::DType::bf16};
    const LayoutGraph graph = make_layout_graph(type, mesh, prices);
    const double making = ms_of([&] { make_layout_graph(type, mesh, prices); });
    const double finding = ms_of([&] {
      for (int i = 0; i < static_cast<int>(graph.layouts.size()); ++i) cheapest_ways(graph, i);
    });
    fmt::print("{:<12} {:<20} {:>8} {:>8} {:>10.2f} {:>14.2f}\n",
               fmt::format("{}", fmt::join(one.mesh, "x")),
               fmt::format("{}", fmt::join(one.shape, "x")), graph.layouts.size(),
               graph.arcs.size(), making, finding);
  }
}
