#include "strategies/autoshard/layout_graph.hpp"

#include <limits>

#include "strategies/placement/redistribution.hpp"
#include "tests/strategies/placement/support.hpp"

namespace strategies::autoshard {
namespace {

using base::Collective;
using placement::layout;
using placement::Mesh;
using placement::Shape;

/// 10 us a collective, 1 us a kernel, and 1 us a MiB of either.
class SimplePrices : public Prices {
 public:
  base::Seconds kernel(const base::Kernel& kernel) const override {
    return base::Seconds::from_us(1 + base::bytes_of(kernel).mib());
  }
  base::Seconds collective(Collective, base::Bytes bytes, const std::vector<int>&) const override {
    return base::Seconds::from_us(10 + bytes.mib());
  }
};

LayoutGraph graph_of(const Shape& shape, const Mesh& mesh) {
  return make_layout_graph({shape, base::DType::bf16}, mesh, SimplePrices());
}

int index(const LayoutGraph& graph, std::string_view text) {
  const int found = graph.find(layout(text));
  INFO(text);
  REQUIRE(found >= 0);
  return found;
}

const Arc* arc_of(const LayoutGraph& graph, std::string_view from, std::string_view to) {
  const int source = index(graph, from);
  const int target = index(graph, to);
  for (const Arc& arc : graph.arcs)
    if (arc.from == source && arc.to == target) return &arc;
  return nullptr;
}

TEST_CASE("layouts: every order in which mesh dims cut the same tensor dim") {
  // One mesh dim: R, S(0), S(1), P. Two: 4 x 4, and a second order where both shard the same dim.
  CHECK(graph_of({64, 64}, Mesh({4})).layouts.size() == 4);
  CHECK(graph_of({64, 64}, Mesh({2, 4})).layouts.size() == 16 + 2);
  // Three mesh dims, k of which shard: C(3,k) 2^(3-k) ways to leave the others R or P, times the
  // ways to put k of them in rows, one for each of t tensor dims: k! C(k+t-1, t-1).
  // t = 2: 8 + 3*4*2 + 3*2*6 + 24 = 92. t = 3: 8 + 3*4*3 + 3*2*12 + 60 = 176.
  CHECK(graph_of({64, 64}, Mesh({2, 4, 2})).layouts.size() == 92);
  CHECK(graph_of({64, 64, 64}, Mesh({2, 4, 2})).layouts.size() == 176);
  // A mesh dim of one rank adds nothing.
  CHECK(graph_of({64, 64}, Mesh({2, 1, 4})).layouts.size() == 18);
  CHECK(graph_of({}, Mesh({2, 4})).layouts.size() == 4);  // R and P
}

TEST_CASE("layouts: shard after shard, the size left is at least the mesh dim") {
  CHECK(graph_of({257}, Mesh({32})).find(layout("S(0)")) >= 0);
  CHECK(graph_of({10}, Mesh({8})).find(layout("S(0)")) >= 0);
  CHECK(graph_of({100}, Mesh({256})).find(layout("S(0)")) == -1);
  // 12 on (5,3): 12 >= 5 leaves 3 >= 3; the other way 12 >= 3 leaves 4 < 5.
  const LayoutGraph graph = graph_of({12}, Mesh({5, 3}));
  CHECK(graph.find(layout("S(0), S(0)")) >= 0);
  CHECK(graph.find(layout("S(0)[1], S(0)[0]")) == -1);
}

TEST_CASE("layouts are found whatever order they give to independent cuts") {
  const LayoutGraph graph = graph_of({64, 64}, Mesh({2, 4}));
  placement::Layout turned = layout("S(0), S(1)");
  turned.order = {1, 0};
  CHECK(graph.find(turned) == graph.find(layout("S(0), S(1)")));
  turned = layout("S(0), S(0)");
  turned.order = {1, 0};
  CHECK(graph.find(turned) == graph.find(layout("S(0)[1], S(0)[0]")));
  CHECK(graph.find(turned) != graph.find(layout("S(0), S(0)")));
}

TEST_CASE("local bytes are those of the largest piece") {
  const LayoutGraph graph = graph_of({17, 6}, Mesh({2, 4}));
  const auto bytes = [&](std::string_view text) {
    return graph.local_bytes[static_cast<std::size_t>(index(graph, text))].count();
  };
  CHECK(bytes("R, P") == 17 * 6 * 2);
  CHECK(bytes("S(0), R") == 9 * 6 * 2);
  CHECK(bytes("S(0), S(0)") == 3 * 6 * 2);  // 3, 3, 3, 0, 2, 2, 2, 2 rows
  CHECK(bytes("S(0), S(1)") == 9 * 2 * 2);  // columns: 2, 2, 2, 0
}

TEST_CASE("shards of one dim over two mesh dims are gathered at once, or from the last cut on") {
  const LayoutGraph graph = graph_of({64}, Mesh({2, 4}));
  const Arc* flat = arc_of(graph, "S(0), S(0)", "R, R");
  REQUIRE(flat != nullptr);
  CHECK(flat->op == Collective::all_gather);
  CHECK(flat->mesh_dims == std::vector<int>{0, 1});
  CHECK(flat->bytes.count() == 64 * 2);
  const Arc* scatter = arc_of(graph, "P, P", "S(0), S(0)");
  REQUIRE(scatter != nullptr);
  CHECK(scatter->op == Collective::reduce_scatter);
  CHECK(scatter->mesh_dims == std::vector<int>{0, 1});
  CHECK(arc_of(graph, "P, P", "R, R")->op == Collective::all_reduce);

  const Arc* outer = arc_of(graph, "S(0)[1], S(0)[0]", "R, S(0)");
  REQUIRE(outer != nullptr);
  CHECK(outer->op == Collective::all_gather);
  CHECK(outer->mesh_dims == std::vector<int>{0});
  CHECK(outer->bytes.count() == 64 * 2 / 4);
  CHECK(arc_of(graph, "S(0), S(0)", "R, S(0)") == nullptr);
  CHECK(arc_of(graph, "S(0), S(0)", "S(0), R")->mesh_dims == std::vector<int>{1});
  CHECK(arc_of(graph, "P, S(0)", "S(0), S(0)") == nullptr);
  CHECK(arc_of(graph, "P, S(0)", "S(0)[1], S(0)[0]")->op == Collective::reduce_scatter);

  // Another order: each rank's 8 elements go to another, 16 B; an all-to-all over 8 keeps 1/8.
  const Arc* turn = arc_of(graph, "S(0), S(0)", "S(0)[1], S(0)[0]");
  REQUIRE(turn != nullptr);
  CHECK(turn->op == Collective::all_to_all);
  CHECK(turn->bytes.count() == 19);  // 16 * 8 / 7, rounded up
}

TEST_CASE("copies are priced where pieces are not runs of the local tensor") {
  const LayoutGraph graph = graph_of({64, 64}, Mesh({4}));
  const auto copies = [&](std::string_view from, std::string_view to) {
    const Arc* arc = arc_of(graph, from, to);
    REQUIRE(arc != nullptr);
    return std::pair(arc->packs, arc->unpacks);
  };
  CHECK(copies("S(0)", "R") == std::pair(false, false));
  CHECK(copies("S(1)", "R") == std::pair(false, true));
  CHECK(copies("P", "S(0)") == std::pair(false, false));
  CHECK(copies("P", "S(1)") == std::pair(true, false));
  CHECK(copies("S(0)", "S(1)") == std::pair(true, false));
  CHECK(copies("S(1)", "S(0)") == std::pair(false, true));
  // 8 KiB gathered, then read and written: 10 + 1/128 and 1 + 2/128 us.
  CHECK(arc_of(graph, "S(1)", "R")->time.us() == Approx(11 + 3.0 / 128));
  CHECK(arc_of(graph, "R", "S(1)")->time.us() == 0);
  CHECK_FALSE(arc_of(graph, "R", "S(1)")->op);
  // Rows of one: columns of the only row are runs.
  CHECK_FALSE(arc_of(graph_of({1, 64}, Mesh({4})), "S(1)", "R")->unpacks);
  // 17 rows in 3, 3, 3, 0 / 2, 2, 2, 2: the padding lies between pieces.
  CHECK(arc_of(graph_of({17}, Mesh({2, 4})), "S(0), S(0)", "R, R")->unpacks);
  CHECK_FALSE(arc_of(graph_of({17}, Mesh({2, 4})), "S(0), S(0)", "S(0), R")->unpacks);
}

/// What a rank sends, or receives, in a collective over n ranks whose bytes are counted as
/// nccl-tests does.
double through_rank(const Arc& arc, const Mesh& mesh) {
  const double n = static_cast<double>(mesh.group_of(0, arc.mesh_dims).size());
  return arc.bytes.as_double() * (n - 1) / n;
}

bool inside_groups(const placement::RedistributionStep& step, const Arc& arc, const Mesh& mesh) {
  return std::all_of(step.messages.begin(), step.messages.end(), [&](const auto& m) {
    return mesh.first_of_group(m.from, arc.mesh_dims) == mesh.first_of_group(m.to, arc.mesh_dims);
  });
}

bool divides(const Shape& shape, const Mesh& mesh) {
  return std::all_of(shape.begin(), shape.end(),
                     [&](std::int64_t size) { return size % mesh.size() == 0; });
}

/// Against the exact messages of a redistribution: the ranks of a group have among them all that
/// they want, and the priced bytes are those that the busiest rank sends (even shards) or more.
void check_arc(const LayoutGraph& graph, const Arc& arc, const Mesh& mesh) {
  const placement::Layout& from = graph.layouts[static_cast<std::size_t>(arc.from)];
  const placement::Layout& to = graph.layouts[static_cast<std::size_t>(arc.to)];
  INFO(format(from) << " to " << format(to) << " over " << arc.mesh_dims.size() << " mesh dims");
  const auto way = placement::redistribute(from, to, graph.type.shape, mesh);
  REQUIRE(way);
  if (!arc.op) {
    CHECK(way->steps.empty());
    return;
  }
  double sent = 0;
  for (const placement::RedistributionStep& step : way->steps) {
    CHECK(inside_groups(step, arc, mesh));
    sent += 2.0 * static_cast<double>(std::max(step.max_sent(), step.max_received()));  // bf16
  }
  const double factor = arc.op == Collective::all_reduce ? 2 : 1;
  const double priced = factor * through_rank(arc, mesh);
  // Shares of an all-reduce are not padded: in each half one element more to each other rank.
  const double unpadded =
      arc.op == Collective::all_reduce ? 4.0 * (static_cast<double>(mesh.size()) - 1) : 0;
  CHECK(priced >= sent - unpadded - 1e-9);
  if (way->steps.empty()) return;
  const bool turns =
      arc.op == Collective::all_to_all && way->steps.front().op != Collective::all_gather;
  if (arc.op == Collective::all_reduce) {
    if (divides(graph.type.shape, mesh)) {
      // Two halves, or between two ranks an exchange.
      const bool pair = mesh.group_of(0, arc.mesh_dims).size() == 2;
      CHECK(way->steps.front().op == Collective::reduce_scatter);
      CHECK((pair || way->steps.back().op == Collective::all_gather));
      CHECK(priced == Approx(sent));
    }
  } else if (divides(graph.type.shape, mesh) && !turns) {
    REQUIRE(way->steps.size() == 1);
    CHECK(way->steps.front().op == arc.op);
    CHECK(priced == Approx(sent));
  } else if (divides(graph.type.shape, mesh)) {
    // Nobody sends more than it has; an all-to-all that cuts the same dim before and after is
    // priced as if nothing stayed.
    CHECK(priced <= graph.local_bytes[static_cast<std::size_t>(arc.from)].as_double() + 2);
  }
}

TEST_CASE("every arc is one collective that moves what an exact redistribution moves") {
  const std::vector<std::pair<Shape, std::vector<int>>> cases{
      {{8, 8}, {2, 4}},  {{24, 24}, {2, 3, 4}}, {{8, 8, 8}, {2, 4}},  {{17}, {2, 4}},
      {{17, 6}, {2, 4}}, {{7, 9, 5}, {2, 3}},   {{13, 9}, {3, 2, 2}}, {{12}, {5, 3}},
      {{10, 3}, {8}},    {{8, 8, 8}, {2, 2, 2}}};
  for (const auto& [shape, sizes] : cases) {
    const Mesh mesh(sizes);
    const LayoutGraph graph = graph_of(shape, mesh);
    for (const Arc& arc : graph.arcs) check_arc(graph, arc, mesh);
  }
}

/// All pairs by relaxing every arc until nothing changes.
std::vector<std::vector<double>> slow_distances(const LayoutGraph& graph, Travel travel) {
  const std::size_t n = graph.layouts.size();
  std::vector<std::vector<double>> all(
      n, std::vector<double>(n, std::numeric_limits<double>::infinity()));
  for (std::size_t i = 0; i < n; ++i) all[i][i] = 0;
  for (bool changed = true; changed;) {
    changed = false;
    for (const Arc& arc : graph.arcs) {
      if (travel == Travel::still && arc.op) continue;
      for (std::size_t i = 0; i < n; ++i) {
        const double there = all[i][static_cast<std::size_t>(arc.from)] + arc.time.s();
        double& best = all[i][static_cast<std::size_t>(arc.to)];
        if (there < best - 1e-15) {
          best = there;
          changed = true;
        }
      }
    }
  }
  return all;
}

TEST_CASE("cheapest ways are those that relaxing every arc finds") {
  for (const std::vector<int>& sizes : {std::vector{2, 4}, std::vector{2, 2, 4}}) {
    const LayoutGraph graph = graph_of({1024, 4096}, Mesh(sizes));
    for (const Travel travel : {Travel::any, Travel::still}) {
      const auto slow = slow_distances(graph, travel);
      for (std::size_t from = 0; from < slow.size(); ++from) {
        const Ways ways = cheapest_ways(graph, static_cast<int>(from), travel);
        for (std::size_t to = 0; to < slow.size(); ++to) {
          if (!ways.reaches(static_cast<int>(to))) {
            CHECK(slow[from][to] == std::numeric_limits<double>::infinity());
            continue;
          }
          CHECK(ways.time[to].s() == Approx(slow[from][to]).margin(1e-12));
          base::Seconds sum;
          auto at = static_cast<int>(from);
          for (const int arc : arcs_to(graph, ways, static_cast<int>(to))) {
            const Arc& step = graph.arcs[static_cast<std::size_t>(arc)];
            REQUIRE(step.from == at);
            at = step.to;
            sum += step.time;
          }
          CHECK(at == static_cast<int>(to));
          CHECK(sum.s() == Approx(ways.time[to].s()).margin(1e-15));
        }
      }
    }
  }
}

TEST_CASE("nothing leads to a pending sum, everything to copies") {
  const LayoutGraph graph = graph_of({64, 64}, Mesh({2, 4}));
  const int copies = index(graph, "R, R");
  for (int i = 0; i < static_cast<int>(graph.layouts.size()); ++i)
    CHECK(cheapest_ways(graph, i).reaches(copies));
  const Ways from_copies = cheapest_ways(graph, copies);
  CHECK_FALSE(from_copies.reaches(index(graph, "P, R")));
  CHECK_FALSE(cheapest_ways(graph, index(graph, "S(0), R")).reaches(index(graph, "P, R")));
  CHECK(arcs_to(graph, from_copies, copies).empty());
}

}  // namespace
}  // namespace strategies::autoshard
