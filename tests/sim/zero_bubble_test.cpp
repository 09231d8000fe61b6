#include <algorithm>
#include <array>

#include "sim/schedule/play.hpp"
#include "tests/support/catch.hpp"

/// Schedules against the tables of Qi et al., Zero Bubble Pipeline Parallelism (arXiv 2401.10241).
/// The bubbles of its table 2 are in schedule_test.cpp.
namespace sim::schedule {
namespace {

using strategies::ScheduleKind;

/// The most that a stage holds, when a micro-batch takes `until_input` from its forward on and
/// `until_weight` between its input and its weight gradient.
double peak(const std::vector<Cell>& cells, double until_input, double until_weight) {
  double held = 0;
  double most = 0;
  for (const Cell& cell : cells) {
    switch (cell.kind) {
      case CellKind::forward: held += until_input; break;
      case CellKind::backward: held -= until_input; break;
      case CellKind::backward_input: held += until_weight - until_input; break;
      case CellKind::backward_weight: held -= until_weight; break;
    }
    most = std::max(most, held);
  }
  return most;
}

TEST_CASE("peak activations of each stage are those of the paper") {
  // M_B and M_W of its table 1, in bytes over s b h: 34 + 5 a s / h, and 32. For GPT-3's 5 a s / h,
  // and without scores.
  for (const double until_input : {34.0 + 80, 34.0})
    for (int p = 1; p <= 8; ++p)
      for (int m = 2 * p - 1; m <= 3 * p; ++m)
        for (int i = 1; i <= p; ++i) {
          INFO("stage " << i << " of " << p << ", " << m << " micro-batches");
          const double until_weight = 32;
          const auto held = [&](ScheduleKind kind) {
            const ScheduleTable table = make_table(kind, {p, 1, m});
            return peak(table.stages[static_cast<std::size_t>(i - 1)], until_input, until_weight);
          };
          CHECK(held(ScheduleKind::one_f_one_b) == (p - i + 1) * until_input);
          CHECK(held(ScheduleKind::zb_h1) == (p - i + 1) * until_input + (i - 1) * until_weight);
          CHECK(held(ScheduleKind::zb_h2) ==
                (2 * p - 2 * i + 1) * until_input + (2 * i - 2) * until_weight);
          // Table 2: p M_B and (2 p - 1) M_B, the first stage's.
          CHECK(held(ScheduleKind::zb_h1) <= p * until_input);
          CHECK(held(ScheduleKind::zb_h2) <= (2 * p - 1) * until_input);
        }
}

TEST_CASE("the first of interleaved stages keeps 1 + (p - 1) / (p v) of the model's layers") {
  // Korthikanti et al. (arXiv 2205.05198), and dlcalc's multiplier. Layers over the
  // p v chunks, one micro-batch each.
  for (int p = 2; p <= 8; ++p)
    for (int v = 2; v <= 5; ++v) {
      INFO(p << " stages of " << v << " chunks");
      const ScheduleTable table = make_table(ScheduleKind::interleaved, {p, v, 4 * p});
      const double models = in_flight(table.stages[0]).activations / (1.0 * p * v);
      CHECK(models == Approx(1 + (p - 1.0) / (p * v)));
    }
}

/// A row of the paper's bubble rates, with the milliseconds that it profiled: what a forward, an
/// input and a weight gradient of one stage take, and a message. Written down without the paper at
/// hand; that all 36 rates follow from the times to the last of four digits vouches for both.
struct Profiled {
  const char* model;
  int stages;
  int micro_batches;
  double forward;
  double input;
  double weight;
  double message;
  double one_f_one_b;  ///< bubble rates
  double zb_h1;
  double zb_h2;

  double work() const { return micro_batches * (forward + input + weight); }
};

const Profiled published[] = {
    {"1.5B", 8, 24, 18.522, 18.086, 9.337, 0.601, 0.2431, 0.1585, 0.1083},
    {"1.5B", 8, 32, 18.513, 18.086, 9.331, 0.626, 0.1985, 0.1242, 0.0837},
    {"1.5B", 8, 64, 18.546, 18.097, 9.321, 0.762, 0.1240, 0.0674, 0.0444},
    {"6.2B", 8, 24, 29.718, 29.444, 19.927, 0.527, 0.2347, 0.1323, 0.0698},
    {"6.2B", 8, 32, 29.802, 29.428, 19.530, 0.577, 0.1898, 0.1045, 0.0559},
    {"6.2B", 8, 64, 29.935, 29.621, 19.388, 0.535, 0.1091, 0.0554, 0.0294},
    {"14.6B", 16, 48, 11.347, 11.248, 8.132, 0.377, 0.2552, 0.1397, 0.0672},
    {"14.6B", 16, 64, 11.307, 11.254, 8.101, 0.379, 0.2082, 0.1088, 0.0516},
    {"14.6B", 16, 128, 11.325, 11.308, 8.109, 0.378, 0.1251, 0.0576, 0.0266},
    {"28.3B", 32, 96, 10.419, 10.207, 7.715, 0.408, 0.2646, 0.1421, 0.0641},
    {"28.3B", 32, 128, 10.408, 10.204, 7.703, 0.408, 0.2168, 0.1106, 0.0490},
    {"28.3B", 32, 256, 10.402, 10.248, 7.698, 0.460, 0.1352, 0.0594, 0.0257},
};

/// Cost of an iteration: from the first cell of a stage to the end of its last, where that is
/// longest. Cells begin as in `play`, but what comes from another stage travels first: sweeps over
/// all cells until no begin moves any more.
double iteration(const ScheduleTable& table, const Profiled& times) {
  const auto at = [](int i) { return static_cast<std::size_t>(i); };
  const CellTimes cell_times{.forward = times.forward,
                             .backward = times.input + times.weight,
                             .backward_input = times.input,
                             .backward_weight = times.weight};
  std::vector<std::vector<Slot>> slots;
  for (const std::vector<Cell>& cells : table.stages) slots.emplace_back(cells.size());
  // When a stage's result for a micro-batch is there: [forward][stage][micro-batch].
  std::array<std::vector<std::vector<double>>, 2> results;
  for (auto& all : results)
    all.assign(table.stages.size(), std::vector<double>(at(table.micro_batches), 0));
  for (bool moved = true; moved;) {
    moved = false;
    for (int stage = 0; stage < table.shape.stages; ++stage) {
      double now = slots[at(stage)][0].begin;
      for (std::size_t i = 0; i < table.stages[at(stage)].size(); ++i) {
        const Cell& cell = table.stages[at(stage)][i];
        const int from = cell.forward() ? stage - 1 : stage + 1;
        auto& same_way = results[cell.forward() ? 1 : 0];
        double begin = now;
        if (cell.passes_on() && from >= 0 && from < table.shape.stages)
          begin = std::max(begin, same_way[at(from)][at(cell.micro_batch)] + times.message);
        now = begin + cell_times.of(cell);
        moved = moved || begin != slots[at(stage)][i].begin;
        slots[at(stage)][i] = {begin, now};
        if (cell.passes_on()) same_way[at(stage)][at(cell.micro_batch)] = now;
      }
    }
  }
  return Played{slots, std::nullopt}.longest_stage();
}

TEST_CASE("messages that take no time leave what play says") {
  Profiled times = published[0];
  times.message = 0;
  for (const ScheduleKind kind :
       {ScheduleKind::one_f_one_b, ScheduleKind::zb_h1, ScheduleKind::zb_h2}) {
    const ScheduleTable table = make_table(kind, {times.stages, 1, times.micro_batches});
    const CellTimes cell_times{times.forward, times.input + times.weight, times.input,
                               times.weight};
    CHECK(iteration(table, times) == Approx(play(table, cell_times).longest_stage()));
  }
}

TEST_CASE("bubble rates are the published ones, to the last of their digits") {
  for (const Profiled& one : published) {
    INFO(one.model << ", " << one.micro_batches << " micro-batches");
    const auto rate = [&](ScheduleKind kind) {
      return 1 - one.work() / iteration(make_table(kind, {one.stages, 1, one.micro_batches}), one);
    };
    CHECK(rate(ScheduleKind::one_f_one_b) == Approx(one.one_f_one_b).margin(0.00006));
    CHECK(rate(ScheduleKind::zb_h1) == Approx(one.zb_h1).margin(0.00006));
    CHECK(rate(ScheduleKind::zb_h2) == Approx(one.zb_h2).margin(0.00006));
    // Beside table 2's bubble, ZB-H1 waits for 4 (p - 1) messages and ZB-H2 for 2 (p - 1).
    const double h1 = (one.stages - 1) * (one.forward + one.input - one.weight + 4 * one.message);
    CHECK(rate(ScheduleKind::zb_h1) == Approx(h1 / (one.work() + h1)));
  }
}

}  // namespace
}  // namespace sim::schedule
