#include <algorithm>

#include "strategies/autoshard/layout_graph.hpp"
#include "tests/strategies/autoshard/autoparallel_prices.hpp"
#include "tests/strategies/placement/support.hpp"

/// AutoParallel's prices, and that ways found on the layout graph are never dearer than its own.
namespace strategies::autoshard {
namespace {

using autoparallel::HopperPrices;
using autoparallel::mib;
using base::Bytes;
using base::Collective;
using placement::layout;
using placement::Mesh;

constexpr std::array<double, 5> sizes_mib{1.0 / 16, 1, 16, 256, 1024};

TEST_CASE("AutoParallel's collectives on GPUs behind one NVSwitch") {
  struct Row {
    int ranks;
    double generation;
    std::array<double, 5> gather, reduce, exchange;
  };
  const std::vector<Row> rows{
      {8,
       1,
       {30.17, 32.66, 72.58, 711.31, 2755.23},
       {31.25, 34.93, 93.84, 1036.38, 4052.50},
       {50.17, 52.76, 94.15, 756.41, 2875.64}},
      {4,
       1,
       {17.15, 19.42, 55.66, 635.51, 2491.06},
       {15.28, 19.44, 86.09, 1152.44, 4564.75},
       {50.17, 52.76, 94.15, 756.41, 2875.64}},
      {2,
       1,
       {8.12, 9.95, 39.24, 507.88, 2007.52},
       {10.20, 13.24, 61.78, 838.50, 3324.02},
       {50.17, 52.76, 94.15, 756.41, 2875.64}},
      {72,  // GB200
       2,
       {30.08, 31.33, 51.29, 370.65, 1392.62},
       {31.12, 32.96, 62.42, 533.69, 2041.75},
       {50.10, 51.55, 74.86, 447.68, 1640.73}},
  };
  for (const Row& row : rows)
    for (std::size_t i = 0; i < sizes_mib.size(); ++i) {
      const auto us = [&](Collective op) {
        return autoparallel::one_node_us(op, row.ranks, mib(sizes_mib[i]), row.generation);
      };
      INFO(row.ranks << " ranks, " << sizes_mib[i] << " MiB");
      CHECK(us(Collective::all_gather) == Approx(row.gather[i]).margin(0.006));
      CHECK(us(Collective::all_reduce) == Approx(row.reduce[i]).margin(0.006));
      CHECK(us(Collective::all_to_all) == Approx(row.exchange[i]).margin(0.006));
    }
}

TEST_CASE("AutoParallel's all-to-all across nodes, where its bandwidth has ramped up") {
  struct Row {
    int nodes;
    int ranks_per_node;
    double us_256;
    double us_1024;
  };
  for (const Row& row : {Row{2, 8, 3478.48, 13802.92},
                         {4, 8, 4682.20, 18138.77},
                         {8, 1, 5031.03, 19944.11},
                         {32, 1, 5616.71, 21383.79}}) {
    INFO(row.nodes << " x " << row.ranks_per_node);
    const auto us = [&](double size) {
      return autoparallel::all_to_all_us(row.nodes, row.ranks_per_node, mib(size));
    };
    CHECK(us(1024) == Approx(row.us_1024).margin(0.006));
    CHECK(us(256) == Approx(row.us_256).epsilon(0.03));
  }
  // Over 256 ranks it still ramps up.
  CHECK(autoparallel::all_to_all_us(32, 8, mib(1024)) == Approx(21726.78).epsilon(0.02));
}

/// The port of NCCL's ring on one node of A100: 87.7 GB/s a GPU, hops of NVLink; LL at half, LL128
/// at 0.92 of the bandwidth.
double ampere_ring_us(int steps, double bytes) {
  struct Wire {
    double base, hop, share;
  };
  double best = 1e30;
  for (const Wire& wire : {Wire{6.6, 0.6, 0.5}, {14, 1.9, 0.92}, {8.4, 3.4, 1}})
    best = std::min(best, wire.base + steps * wire.hop + bytes / (87.7e3 * 8 / steps * wire.share));
  return best;
}

TEST_CASE("AutoParallel's port of NCCL's ring on a node of A100") {
  const std::array<double, 5> gather{12.11, 31.72, 199.59, 2710.43, 10745.13};
  const std::array<double, 5> reduce{17.62, 56.85, 390.78, 5412.47, 21481.86};
  const std::array<double, 5> exchange{36.67, 52.68, 308.89, 4408.23, 17526.10};
  for (std::size_t i = 0; i < sizes_mib.size(); ++i) {
    const double bytes = mib(sizes_mib[i]);
    INFO(sizes_mib[i] << " MiB");
    CHECK(ampere_ring_us(7, bytes) == Approx(gather[i]).margin(0.006));
    CHECK(ampere_ring_us(14, bytes) == Approx(reduce[i]).margin(0.006));
    // Eight hops, and 0.7 of the bandwidth.
    CHECK(8.4 + 8 * 3.4 + bytes / (0.7 * 87.7e3) == Approx(exchange[i]).margin(0.006));
  }
}

TEST_CASE("AutoParallel's roofline of an H100") {
  const HopperPrices prices(Mesh({8}));
  const auto us = [&](const base::Kernel& kernel) { return prices.kernel(kernel).us(); };
  CHECK(us(base::Gemm{.m = 16384, .n = 4096, .k = 4096}) == Approx(794.10).margin(0.006));
  CHECK(us(base::Gemm{.m = 2048, .n = 4096, .k = 4096}) == Approx(99.26).margin(0.006));
  CHECK(us(base::MemoryBound{Bytes::from_mib(6)}) == Approx(7.00));
  CHECK(us(base::MemoryBound{Bytes::from_mib(6 * 64)}) == Approx(156.17).margin(0.006));
  CHECK(us(base::MemoryBound{Bytes::from_mib(2 * 128)}) == Approx(104.11).margin(0.006));
  // Half of it is what G05 calls a copy pass over 128 MiB: read only.
  CHECK(us(base::MemoryBound{Bytes::from_mib(128)}) == Approx(52.06).margin(0.006));
}

/// 64 H100 as mesh (8,8): mesh dim 1 in the node. A tensor of 128 MiB.
class Eights {
 public:
  const LayoutGraph& graph() const { return graph_; }

  double ours_us(std::string_view from, std::string_view to) const {
    const int source = graph_.find(layout(from));
    const int target = graph_.find(layout(to));
    INFO(from << " to " << to);
    REQUIRE(source >= 0);
    REQUIRE(target >= 0);
    const Ways ways = cheapest_ways(graph_, source);
    REQUIRE(ways.reaches(target));
    return ways.time[static_cast<std::size_t>(target)].us();
  }

  /// AutoParallel's rule: mesh dims in `sequence`, whatever the order of the cuts.
  double upstream_us(std::string_view from, std::string_view to, std::vector<int> sequence) const {
    const placement::Layout source = layout(from);
    const placement::Layout target = layout(to);
    double left = mib(128);
    for (const auto& p : source.placements) left /= placement::sharded_dim(p) ? 8 : 1;
    double us = 0;
    for (const int d : sequence) {
      const auto& a = source.placements[static_cast<std::size_t>(d)];
      const auto& b = target.placements[static_cast<std::size_t>(d)];
      if (a == b || placement::is_replicate(a)) continue;
      const auto cost = [&](Collective op, double bytes) {
        return prices_.collective(op, Bytes::from_double(bytes), {d}).us();
      };
      const auto copy = [&](const auto& p, double bytes) {
        if (placement::sharded_dim(p).value_or(0) == 0) return 0.0;
        return prices_.kernel(base::MemoryBound{Bytes::from_double(2 * bytes)}).us();
      };
      if (placement::pending(a) && placement::is_replicate(b)) {
        us += cost(Collective::all_reduce, left);
      } else if (placement::pending(a)) {
        us += cost(Collective::reduce_scatter, left) + copy(b, left);
        left /= 8;
      } else if (placement::is_replicate(b)) {
        left *= 8;
        us += cost(Collective::all_gather, left) + copy(a, left);
      } else {
        us += cost(Collective::all_to_all, left) + copy(a, left) + copy(b, left);
      }
    }
    return us;
  }

 private:
  HopperPrices prices_{Mesh({8, 8})};
  LayoutGraph graph_ =
      make_layout_graph({{8192, 64, 128}, base::DType::bf16}, Mesh({8, 8}), prices_);
};

TEST_CASE("a way is never dearer than AutoParallel's price, unless that is for what cannot be") {
  struct Row {
    const char* from;
    const char* to;
    std::vector<int> sequence;
    double upstream;
    double ours;
  };
  const Eights eights;
  const char* reversed = "S(0)[1], S(0)[0]";
  const std::vector<Row> rows{
      {"S(0), S(0)", "S(0), R", {0, 1}, 72.58, 72.58},
      {reversed, "R, S(0)", {0, 1}, 405.72, 405.72},
      {"S(0), R", "R, R", {0, 1}, 2551.17, 802.77},  // cut in the node, which is free; then flat
      {reversed, "R, R", {0, 1}, 776.38, 776.38},
      {"R, S(1)", "R, R", {0, 1}, 474.77, 474.77},
      {"R, P", "R, R", {0, 1}, 533.69, 533.69},
      {"R, P", "R, S(0)", {0, 1}, 370.65, 370.65},
      {"R, P", "R, S(1)", {0, 1}, 474.77, 474.77},
      {"P, P", reversed, {1, 0}, 776.38, 776.38},
      {"R, S(0)", "R, S(1)", {0, 1}, 107.16, 107.16},
      {"R, S(1)", "R, S(2)", {0, 1}, 120.18, 120.18},
      {"R, S(0)", "S(1), R", {0, 1}, 370.65, 72.58},  // cut first, then gather
      {"P, P", "R, R", {0, 1}, 6027.50, 1062.25},     // one flat all-reduce
  };
  for (const Row& row : rows) {
    INFO(row.from << " to " << row.to);
    const double upstream = eights.upstream_us(row.from, row.to, row.sequence);
    const double ours = eights.ours_us(row.from, row.to);
    CHECK(upstream == Approx(row.upstream).margin(0.015));
    CHECK(ours == Approx(row.ours).margin(0.015));
    CHECK(ours <= upstream + 1e-6);
  }
  // In the order in which they stand the outer mesh dim cut first: the inner one has to go first,
  // or both at once.
  CHECK(eights.upstream_us("S(0), S(0)", "R, R", {1, 0}) == Approx(2623.75).margin(0.015));
  CHECK(eights.ours_us("S(0), S(0)", "R, R") == Approx(802.77).margin(0.015));
  CHECK(eights.ours_us("P, P", "S(0), S(0)") == Approx(802.77).margin(0.015));
  CHECK(eights.ours_us("S(0), S(0)", "R, S(0)") > 405.72);
}

TEST_CASE("no way between layouts is dearer than mesh dims one after the other") {
  const Eights eights;
  const LayoutGraph& graph = eights.graph();
  int compared = 0;
  for (std::size_t i = 0; i < graph.layouts.size(); ++i) {
    const Ways ways = cheapest_ways(graph, static_cast<int>(i));
    for (std::size_t j = 0; j < graph.layouts.size(); ++j) {
      const placement::Layout& from = graph.layouts[i];
      const placement::Layout& to = graph.layouts[j];
      if (!ways.reaches(static_cast<int>(j))) continue;
      const bool in_turn =  // no two cuts of one dim, whose order would matter
          from.order.empty() && to.order.empty() &&
          !(from.placements[0] == from.placements[1] &&
            placement::sharded_dim(from.placements[0])) &&
          !(to.placements[0] == to.placements[1] && placement::sharded_dim(to.placements[0]));
      const auto dim = [](const placement::Placement& p) { return placement::sharded_dim(p); };
      const bool meets_on_the_way =
          dim(to.placements[0]) && dim(to.placements[0]) == dim(from.placements[1]);
      if (!in_turn || meets_on_the_way) continue;
      INFO(format(from) << " to " << format(to));
      CHECK(ways.time[j].us() <= eights.upstream_us(format(from), format(to), {0, 1}) + 1e-6);
      ++compared;
    }
  }
  CHECK(compared > 200);
}

/// Y = X W on 8 H100, X (M, 4096) and Y in rows, W 4096 x 4096 stored by rows, eighths.
struct Product {
  std::int64_t rows;
  double gather_weight, columns, contract;
};

TEST_CASE("small batches move activations, large ones weights: AutoParallel's prices") {
  const Mesh mesh({8});
  const HopperPrices prices(mesh);
  const auto bf16 = [&](std::int64_t rows) {
    return make_layout_graph({{rows, 4096}, base::DType::bf16}, mesh, prices);
  };
  const LayoutGraph weight = bf16(4096);
  const auto between = [](const LayoutGraph& graph, std::string_view from, std::string_view to) {
    return std::pair(graph.find(layout(from)), graph.find(layout(to)));
  };
  const auto arc = [&](const LayoutGraph& graph, std::string_view from, std::string_view to) {
    const std::pair ends = between(graph, from, to);
    const auto found = std::find_if(graph.arcs.begin(), graph.arcs.end(),
                                    [&](const Arc& a) { return std::pair(a.from, a.to) == ends; });
    REQUIRE(found != graph.arcs.end());
    CHECK(cheapest_ways(graph, ends.first).time[static_cast<std::size_t>(ends.second)] <=
          found->time);
    return found->time.us();
  };
  const auto gemm = [&](std::int64_t m, std::int64_t n, std::int64_t k) {
    return prices.kernel(base::Gemm{.m = m, .n = n, .k = k}).us();
  };
  for (const Product& row : {Product{256, 128.4, 100.0, 100.0},
                             {512, 128.6, 106.0, 106.0},
                             {1024, 129.0, 118.1, 118.1},
                             {2048, 129.8, 147.5, 147.5},
                             {4096, 140.0, 208.0, 208.0},
                             {16384, 214.4, 577.1, 577.1}}) {
    const LayoutGraph rows = bf16(row.rows);
    INFO(row.rows << " rows");
    CHECK(arc(weight, "S(0)", "R") + gemm(row.rows / 8, 4096, 4096) ==
          Approx(row.gather_weight).margin(0.06));
    CHECK(arc(rows, "S(0)", "R") + gemm(row.rows, 512, 4096) + arc(rows, "S(1)", "S(0)") ==
          Approx(row.columns).margin(0.06));
    CHECK(arc(rows, "S(0)", "S(1)") + gemm(row.rows, 4096, 512) + arc(rows, "P", "S(0)") ==
          Approx(row.contract).margin(0.06));
    // Its all-to-all begins at 50 us: to gather and cut again is then cheaper.
    const auto [from, to] = between(rows, "S(1)", "S(0)");
    CHECK((arcs_to(rows, cheapest_ways(rows, from), to).size() == 2) == (row.rows <= 1024));
  }
}

}  // namespace
}  // namespace strategies::autoshard
