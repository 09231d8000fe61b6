#include "strategies/placement/op_rules.hpp"

#include <cmath>
#include <limits>
#include <sstream>

#include "tests/strategies/placement/support.hpp"

namespace strategies::placement {
namespace {

/// "4x8" as {4, 8}; "" as {}.
template <class T>
std::vector<T> numbers(const std::string& text) {
  std::vector<T> values;
  std::istringstream in(text);
  for (std::string number; std::getline(in, number, 'x');)
    values.push_back(static_cast<T>(std::stoll(number)));
  return values;
}

/// "4x8: S(0) | 8: R" as operands.
std::vector<Operand> operands_of(const std::string& text) {
  std::vector<Operand> operands;
  std::istringstream in(text);
  for (std::string operand; std::getline(in, operand, '|');) {
    const std::size_t colon = operand.find(':');
    operands.push_back({numbers<std::int64_t>(operand.substr(0, colon)),
                        layout(std::string_view(operand).substr(colon + 1))});
  }
  return operands;
}

std::string layouts_of(const OpSharding& sharding) {
  std::string text;
  for (const Layout& l : sharding.operands) text += (text.empty() ? "" : " | ") + format(l);
  return text;
}

struct Rule {
  OpKind kind;
  const char* reduced;
  const char* operands;
  const char* mesh;
  const char* needed;
  const char* result;
};

void check_rules(const std::vector<Rule>& rules) {
  for (const Rule& rule : rules) {
    INFO(rule.operands << " on " << rule.mesh);
    const base::Result<OpSharding> got =
        propagate({rule.kind, numbers<int>(rule.reduced)}, operands_of(rule.operands),
                  Mesh(numbers<int>(rule.mesh)));
    REQUIRE(got);
    CHECK(layouts_of(*got) == rule.needed);
    CHECK(format(got->result) == rule.result);
  }
}

TEST_CASE("rules of element-wise operators") {
  const OpKind linear = OpKind::linear_pointwise;
  const OpKind pointwise = OpKind::pointwise;
  check_rules({
      // Along the operand with most shards.
      {pointwise, "", "4x8: Ragged(0; 1,2,1,0) | 4x8: R", "4",
       "Ragged(0; 1,2,1,0) | Ragged(0; 1,2,1,0)", "Ragged(0; 1,2,1,0)"},
      {pointwise, "", "4x8: P | 4x8: Ragged(0,1; 1,2,1,0)", "4",
       "Ragged(0,1; 1,2,1,0) | Ragged(0,1; 1,2,1,0)", "Ragged(0,1; 1,2,1,0)"},
      // Sums may wait beyond linear work.
      {pointwise, "", "4x8: P(sum)", "4", "R", "R"},
      {linear, "", "4x8: P | 4x8: P", "4", "P(sum) | P(sum)", "P(sum)"},
      {linear, "", "4x8: R | 4x8: P(avg)", "4", "P(avg) | P(avg)", "P(avg)"},
      {linear, "", "4x8: P(max)", "4", "R", "R"},
      {linear, "", "4x8: Ragged(0; 1,1), P", "2x2", "Ragged(0; 1,1), P(sum)",
       "Ragged(0; 1,1), P(sum)"},
      {OpKind::copy, "", "4x8: P(max)", "4", "P(max)", "P(max)"},
      // Operands that are repeated along a sharded or ragged dim are needed whole.
      {pointwise, "", "4x8: Ragged(0; 1,2,1,0) | 8: S(0)", "4", "Ragged(0; 1,2,1,0) | R",
       "Ragged(0; 1,2,1,0)"},
      {pointwise, "", "4x8: Ragged(0; 1,2,1,0) | 4x1: R", "4",
       "Ragged(0; 1,2,1,0) | Ragged(0; 1,2,1,0)", "Ragged(0; 1,2,1,0)"},
      {pointwise, "", "4x8: S(1) | 8: R", "4", "S(1) | S(0)", "S(1)"},
      {OpKind::opaque, "", "4x8: Ragged(0; 1,2,1,0) | 8x4: S(1)", "4", "R | R", "R"},
  });
}

TEST_CASE("rules of reductions") {
  const char* two = "Ragged(0,1; 1,2,1,0)";
  const char* rows = "Ragged(0; 1,2,1,0)";
  check_rules({
      {OpKind::sum, "0x1", "4x8: S(0), S(1)", "2x2", "S(0), S(1)", "P(sum), P(sum)"},
      {OpKind::sum, "0x1", "4x8x8: S(2), S(2)", "2x2", "S(2), S(2)", "S(0), S(0)"},
      {OpKind::sum, "0x1", "4x8x8: S(0), S(2)", "2x2", "S(0), S(2)", "P(sum), S(0)"},
      {OpKind::sum, "1", "4x8: Ragged(0,1; 1,2,1,0)", "4", two, "P(sum)"},
      {OpKind::sum, "1", "4x8: Ragged(0; 1,2,1,0)", "4", rows, rows},
      {OpKind::sum, "1", "4x8: Ragged(; 0,1,0,0)", "4", "Ragged(; 0,1,0,0)", "Ragged(; 0,1,0,0)"},
      {OpKind::mean, "0", "4x8: Ragged(0,1; 1,2,1,0)", "4", two, "P(sum)"},  // never P(avg)
      {OpKind::mean, "0", "4x8: P(avg)", "4", "P(avg)", "P(avg)"},
      {OpKind::maximum, "0", "4x8: Ragged(0,1; 1,2,1,0)", "4", two, "P(max)"},
      {OpKind::maximum, "0", "4x8: P(sum)", "4", "R", "R"},
      {OpKind::norm, "0x1", "4x8: Ragged(0,1; 1,2,1,0)", "4", two, "P(norm)"},
      {OpKind::norm, "1", "4x8: Ragged(0; 1,2,1,0)", "4", rows, rows},
      {OpKind::norm, "0x1", "4x8: P(sum)", "4", "R", "R"},
      // What is not linear in pieces gathers the dims concerned, and those only.
      {OpKind::nonlinear_reduction, "1", "4x8: Ragged(0; 1,1), S(1)", "2x2", "Ragged(0; 1,1), R",
       "Ragged(0; 1,1), R"},
      {OpKind::nonlinear_reduction, "1", "4x8: Ragged(0,1; 1,2,1,0)", "4", "R", "R"},
  });
}

TEST_CASE("operators that cannot be") {
  const Mesh mesh({4});
  const auto message = [&](const Op& op, const std::vector<Operand>& operands) {
    return propagate(op, operands, mesh).error().at(0).message;
  };
  CHECK(message({OpKind::pointwise, {}}, {{{4, 8}, layout("R")}, {{4, 7}, layout("R")}}) ==
        "the shapes of the operands do not broadcast");
  CHECK(message({OpKind::sum, {2}}, {{{4, 8}, layout("R")}}) ==
        "reduced dims 2 of a tensor with 2 dims");
  CHECK(message({OpKind::sum, {0, 0}}, {{{4, 8}, layout("R")}}) ==
        "reduced dims 0,0 of a tensor with 2 dims");
  CHECK(message({OpKind::sum, {0}}, {}) == "an operator without operands");
  CHECK_THAT(message({OpKind::sum, {0}}, {{{6, 4}, layout("Ragged(0; 1,1,1,1)")}}),
             Catch::Contains("cuts 6 rows"));
}

// --- simulated ranks: each computes on what it holds, and together they must give the result ----

using Values = std::vector<double>;                  ///< of a whole tensor, row-major
using LocalValues = std::map<std::int64_t, double>;  ///< of one rank, by row-major number

double neutral(Reduction op) {
  switch (op) {
    case Reduction::max: return -std::numeric_limits<double>::infinity();
    case Reduction::min: return std::numeric_limits<double>::infinity();
    case Reduction::product: return 1;
    default: return 0;
  }
}

double combine_two(Reduction op, double a, double b) {
  switch (op) {
    case Reduction::max: return std::max(a, b);
    case Reduction::min: return std::min(a, b);
    case Reduction::product: return a * b;
    case Reduction::norm: return std::sqrt(a * a + b * b);
    default: return a + b;
  }
}

/// Position of `rank` among the ranks that differ along the pending mesh dims, and their number.
std::pair<int, int> contributor(const Layout& l, const Mesh& mesh, int rank) {
  int index = 0;
  int count = 1;
  for (int d = 0; d < mesh.dims(); ++d)
    if (pending(l.placements[static_cast<std::size_t>(d)])) {
      index = index * mesh.extent(d) + mesh.coordinate(rank, d);
      count *= mesh.extent(d);
    }
  return {index, count};
}

/// Contribution `index` of `count` to `value`: different for each, and they make up `value`.
double contribution(Reduction op, double value, int index, int count) {
  const int last = count - 1;
  switch (op) {
    case Reduction::sum:  // 0, 3, 6, ..., and the rest
      return index == last ? value - 3.0 * last * (last - 1) / 2 : 3.0 * index;
    case Reduction::avg: return value + 2.0 * index - last;
    case Reduction::max: return value - 5.0 * index;
    case Reduction::min: return value + 5.0 * index;
    case Reduction::product: return index == last ? value / std::pow(2.0, last) : 2.0;
    case Reduction::norm: return value / std::sqrt(static_cast<double>(count));
  }
  return value;
}

Reduction pending_of(const Layout& l) {
  for (const Placement& p : l.placements)
    if (const auto op = pending(p)) return *op;
  return Reduction::sum;
}

/// Lays a tensor out: what every rank holds.
std::vector<LocalValues> lay_out(const Values& whole, const Layout& l, const Shape& shape,
                                 const Mesh& mesh) {
  std::vector<LocalValues> ranks(static_cast<std::size_t>(mesh.size()));
  for (int rank = 0; rank < mesh.size(); ++rank)
    for (const std::int64_t e : enumerate(l, shape, mesh, rank)) {
      const auto [index, count] = contributor(l, mesh, rank);
      ranks[static_cast<std::size_t>(rank)][e] =
          count == 1 && index == 0
              ? whole[static_cast<std::size_t>(e)]
              : contribution(pending_of(l), whole[static_cast<std::size_t>(e)], index, count);
    }
  return ranks;
}

/// Every rank's elements, reduced over its group, are those of the whole result; all are held.
void check_result(const std::vector<LocalValues>& ranks, const Layout& l, const Shape& shape,
                  const Mesh& mesh, const Values& whole) {
  std::vector<int> waiting;
  for (int d = 0; d < mesh.dims(); ++d)
    if (pending(l.placements[static_cast<std::size_t>(d)])) waiting.push_back(d);
  std::set<std::int64_t> held;
  for (int rank = 0; rank < mesh.size(); ++rank)
    for (const std::int64_t e : enumerate(l, shape, mesh, rank)) {
      held.insert(e);
      // Mesh dims may wait for sums and averages at once: an average is a sum over its ranks.
      double value = neutral(pending_of(l));
      double divisor = 1;
      for (const int d : waiting)
        if (pending(l.placements[static_cast<std::size_t>(d)]) == Reduction::avg)
          divisor *= mesh.extent(d);
      for (const int other : mesh.group_of(rank, waiting))
        value = combine_two(pending_of(l), value, ranks[static_cast<std::size_t>(other)].at(e));
      if (waiting.empty()) value = ranks[static_cast<std::size_t>(rank)].at(e);
      REQUIRE(value / divisor ==
              Approx(whole[static_cast<std::size_t>(e)]).epsilon(1e-9).margin(1e-9));
    }
  REQUIRE(static_cast<std::int64_t>(held.size()) == element_count(shape));
}

/// The number, in the reduced tensor, of an element.
std::int64_t reduced_number(std::int64_t element, const Shape& shape,
                            const std::vector<int>& reduced) {
  std::int64_t number = 0;
  std::int64_t stride = 1;
  for (std::size_t d = shape.size(); d-- > 0;) {
    const std::int64_t index = element % shape[d];
    element /= shape[d];
    if (std::find(reduced.begin(), reduced.end(), static_cast<int>(d)) != reduced.end()) continue;
    number += index * stride;
    stride *= shape[d];
  }
  return number;
}

Reduction reduction_of(OpKind kind) {
  switch (kind) {
    case OpKind::maximum: return Reduction::max;
    case OpKind::minimum: return Reduction::min;
    case OpKind::product: return Reduction::product;
    case OpKind::norm: return Reduction::norm;
    default: return Reduction::sum;
  }
}

/// Reduces elements over `reduced` dims, starting from the neutral element; a mean divides by the
/// count of the whole tensor. A nonlinear reduction (range: max less min) cannot be done in parts.
LocalValues reduce_values(const Op& op, const LocalValues& values, const Shape& shape) {
  std::int64_t count = 1;
  for (const int d : op.reduced_dims) count *= shape[static_cast<std::size_t>(d)];
  LocalValues result;
  LocalValues least;
  const bool range = op.kind == OpKind::nonlinear_reduction;
  const Reduction reduction = range ? Reduction::max : reduction_of(op.kind);
  for (const auto& [element, value] : values) {
    const std::int64_t number = reduced_number(element, shape, op.reduced_dims);
    const double mine = op.kind == OpKind::mean ? value / static_cast<double>(count) : value;
    const auto [at, fresh] = result.emplace(number, neutral(reduction));
    at->second = combine_two(reduction, at->second, mine);
    const auto [low, first] = least.emplace(number, value);
    low->second = std::min(low->second, value);
  }
  if (range)
    for (auto& [number, value] : result) value -= least.at(number);
  return result;
}

Values whole_of(const LocalValues& values) {
  Values whole;
  for (const auto& [number, value] : values) whole.push_back(value);
  return whole;
}

LocalValues numbered(const Values& values) {
  LocalValues numbered;
  for (std::size_t i = 0; i < values.size(); ++i)
    numbered[static_cast<std::int64_t>(i)] = values[i];
  return numbered;
}

Values random_values(Dice& dice, const Shape& shape) {
  Values values(static_cast<std::size_t>(element_count(shape)));
  for (double& value : values) value = 1 + dice(4);
  return values;
}

/// A random layout whose pending reductions, if any, are of `kind`.
Layout random_operand(Dice& dice, const Shape& shape, const Mesh& mesh, Reduction kind) {
  Layout l = random_layout(dice, shape, mesh, true);
  for (Placement& p : l.placements)
    if (pending(p)) p = Partial{kind};
  return l;
}

TEST_CASE("reductions of simulated ranks are those of the whole tensor") {
  Dice dice(10);
  std::map<OpKind, int> pieces;  // results that ranks got without gathering
  for (int i = 0; i < 6000; ++i) {
    const std::vector<OpKind> kinds{OpKind::sum,
                                    OpKind::mean,
                                    OpKind::maximum,
                                    OpKind::minimum,
                                    OpKind::product,
                                    OpKind::norm,
                                    OpKind::nonlinear_reduction};
    Op op{kinds[static_cast<std::size_t>(dice(7))], {}};
    const Mesh mesh = random_mesh(dice);
    const Shape shape = random_shape(dice);
    for (int d = 0; d < static_cast<int>(shape.size()); ++d)
      if (dice(2) == 0) op.reduced_dims.push_back(d);
    const Reduction kind = reduction_names[static_cast<std::size_t>(dice(6))].second;
    const Layout l = random_operand(dice, shape, mesh, kind);
    INFO(format(l) << " of " << Catch::Detail::stringify(shape) << ", operator "
                   << static_cast<int>(op.kind));
    const base::Result<OpSharding> sharding = propagate(op, {{shape, l}}, mesh);
    REQUIRE(sharding);
    const Layout& needed = sharding->operands[0];
    REQUIRE(check_layout(needed, shape, mesh).empty());
    REQUIRE(check_layout(sharding->result, sharding->result_shape, mesh).empty());

    const Values whole = random_values(dice, shape);
    const LocalValues want = reduce_values(op, numbered(whole), shape);
    std::vector<LocalValues> results;
    for (const LocalValues& local : lay_out(whole, needed, shape, mesh))
      results.push_back(reduce_values(op, local, shape));
    for (int rank = 0; rank < mesh.size(); ++rank)  // nothing held: the neutral element
      for (const std::int64_t e : enumerate(sharding->result, sharding->result_shape, mesh, rank))
        results[static_cast<std::size_t>(rank)].emplace(e, neutral(pending_of(sharding->result)));
    check_result(results, sharding->result, sharding->result_shape, mesh, whole_of(want));
    for (const Placement& p : needed.placements)
      if (is_ragged(p) && !op.reduced_dims.empty()) ++pieces[op.kind];
  }
  CHECK(pieces.size() == 7);
  for (const auto& [kind, count] : pieces) CHECK(count > 20);
}

TEST_CASE("element-wise work of simulated ranks is that of the whole tensor") {
  Dice dice(11);
  const auto broadcast_number = [](std::int64_t element, const Shape& shape, const Shape& own) {
    std::int64_t number = 0;
    std::int64_t stride = 1;
    for (std::size_t back = 1; back <= shape.size(); ++back) {
      const std::int64_t index = element % shape[shape.size() - back];
      element /= shape[shape.size() - back];
      if (back > own.size()) continue;
      const std::int64_t size = own[own.size() - back];
      number += (size == 1 ? 0 : index) * stride;
      stride *= size;
    }
    return number;
  };
  int ragged = 0;
  int partial = 0;
  for (int i = 0; i < 4000; ++i) {
    const bool linear = dice(2) == 0;
    const Mesh mesh = random_mesh(dice);
    const Shape shape = random_shape(dice);
    Shape second = shape;
    if (dice(3) == 0) second[static_cast<std::size_t>(dice(static_cast<int>(shape.size())))] = 1;
    if (dice(4) == 0) second.erase(second.begin());
    const Reduction kind = reduction_names[static_cast<std::size_t>(dice(6))].second;
    std::vector<Operand> operands{{shape, random_operand(dice, shape, mesh, kind)},
                                  {second, {{}, {}}}};
    operands[1].layout =
        second.empty()  // a scalar
            ? Layout{std::vector<Placement>(operands[0].layout.placements.size(), Replicate{}), {}}
            : random_operand(dice, second, mesh, kind);
    INFO(format(operands[0].layout) << " | " << format(operands[1].layout));
    const Op op{linear ? OpKind::linear_pointwise : OpKind::pointwise, {}};
    const base::Result<OpSharding> sharding = propagate(op, operands, mesh);
    REQUIRE(sharding);
    const auto f = [&](double a, double b) { return linear ? 2 * a - b : a * b + a; };

    std::vector<Values> whole;
    std::vector<std::vector<LocalValues>> local;
    for (std::size_t o = 0; o < 2; ++o) {
      whole.push_back(random_values(dice, operands[o].shape));
      REQUIRE(check_layout(sharding->operands[o], operands[o].shape, mesh).empty());
      local.push_back(lay_out(whole[o], sharding->operands[o], operands[o].shape, mesh));
    }
    REQUIRE(sharding->result_shape == shape);
    Values want;
    for (std::int64_t e = 0; e < element_count(shape); ++e)
      want.push_back(f(whole[0][static_cast<std::size_t>(e)],
                       whole[1][static_cast<std::size_t>(broadcast_number(e, shape, second))]));
    std::vector<LocalValues> results(static_cast<std::size_t>(mesh.size()));
    for (int rank = 0; rank < mesh.size(); ++rank) {
      const auto r = static_cast<std::size_t>(rank);
      for (const std::int64_t e : enumerate(sharding->result, shape, mesh, rank))
        results[r][e] = f(local[0][r].at(e), local[1][r].at(broadcast_number(e, shape, second)));
    }
    check_result(results, sharding->result, shape, mesh, want);
    for (const Placement& p : sharding->result.placements) {
      if (is_ragged(p)) ++ragged;
      if (pending(p)) ++partial;
    }
  }
  CHECK(ragged > 500);
  CHECK(partial > 100);
}

// --- norms of large ragged tensors -------------------------------------------------------------

/// Squared 2-norm of what each rank holds of 0, 1, 2, ....
std::vector<double> squares(std::string_view text, const Shape& shape, const Mesh& mesh) {
  std::vector<double> parts;
  for (const Piece& piece : pieces_of(text, shape, mesh)) {
    double sum = 0;
    for (const std::int64_t e : elements_of(piece.elements, shape))
      sum += static_cast<double>(e) * static_cast<double>(e);
    parts.push_back(sum);
  }
  return parts;
}

TEST_CASE("norms of ragged tensors") {
  // Squares below 2^53 and their sums are exact in doubles.
  const std::vector<double> r01 = squares("Ragged(0; 0,1,5,2,0,0,0,0)", {32, 128}, Mesh({8}));
  CHECK(r01 == std::vector<double>{0, 44608256, 9614350080, 13239145984, 0, 0, 0, 0});
  // n (n + 1) (2n + 1) / 6 for n = 4095.
  const double sum = std::accumulate(r01.begin(), r01.end(), 0.0);
  CHECK(sum == 22898104320.0);
  CHECK(std::sqrt(sum) == Approx(151321.19587156).epsilon(1e-13));
  const std::vector<double> r04 =
      squares("Ragged(0,1; 455,1000,2000,641,0,0,0,0)", {32, 128}, Mesh({8}));
  CHECK(r04 == std::vector<double>{31295355, 994403500, 12715807000, 9156598465, 0, 0, 0, 0});
  CHECK(std::accumulate(r04.begin(), r04.end(), 0.0) == sum);
  const std::vector<double> two = squares("Ragged(0; 0,1,5,2), S(0)", {64, 128}, Mesh({4, 2}));
  const double both = std::accumulate(two.begin(), two.end(), 0.0);
  CHECK(both == 183218384896.0);  // 0..8191
  CHECK(std::sqrt(both) == Approx(428040.16738619).epsilon(1e-13));
}

}  // namespace
}  // namespace strategies::placement
