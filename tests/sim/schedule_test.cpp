#include "sim/schedule/schedule.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "sim/schedule/play.hpp"
#include "tests/support/catch.hpp"

namespace sim::schedule {
namespace {

using strategies::ScheduleKind;

struct Case {
  ScheduleKind kind;
  Shape shape;

  ScheduleTable table() const { return make_table(kind, shape); }
  std::string name() const {
    return fmt::format("{} stages {} chunks {} micro-batches {}", strategies::name_of(kind),
                       shape.stages, shape.virtual_stages, shape.micro_batches);
  }
};

/// Every small shape that a plan may ask for.
const std::vector<Case>& small_world() {
  static const std::vector<Case> all = [] {
    std::vector<Case> cases;
    for (const Schedule& schedule : schedules)
      for (int stages = 1; stages <= 8; ++stages)
        for (int micro_batches = 1; micro_batches <= 24; ++micro_batches)
          for (int chunks = 1; chunks <= 4; ++chunks) {
            if (chunks > 1 && schedule.kind != ScheduleKind::interleaved) continue;
            if (strategies::shape_problem(schedule.kind, stages, chunks, micro_batches).empty())
              cases.push_back({schedule.kind, {stages, chunks, micro_batches}});
          }
    return cases;
  }();
  return all;
}

std::vector<Case> cases_of(ScheduleKind kind) {
  std::vector<Case> some;
  std::copy_if(small_world().begin(), small_world().end(), std::back_inserter(some),
               [&](const Case& one) { return one.kind == kind; });
  return some;
}

/// What the busiest stage computes.
double work(const ScheduleTable& table, const CellTimes& times) {
  double most = 0;
  for (const std::vector<Cell>& cells : table.stages) {
    double sum = 0;
    for (std::size_t i = 0; i < cells.size(); ++i) {
      sum += cells[i].overlapped ? times.overlapped : times.of(cells[i]);
      if (cells[i].overlapped) ++i;
    }
    most = std::max(most, sum);
  }
  return most;
}

/// Time in which the stage that takes longest stands still between its first cell and its last.
double bubble(const Case& one, const CellTimes& times) {
  const ScheduleTable table = one.table();
  return play(table, times).longest_stage() - work(table, times);
}

TEST_CASE("every small schedule is whole and can run") {
  std::size_t checked = 0;
  for (const Case& one : small_world()) {
    const std::vector<Problem> problems = check(one.table());
    INFO(one.name() << (problems.empty() ? "" : ": " + problems.front().message));
    CHECK(problems.empty());
    ++checked;
  }
  // Five schedules of 8 x 24 shapes, ZB-V too, and more of the others.
  CHECK(checked > 6 * 8 * 24);
  for (const Schedule& schedule : schedules) CHECK(cases_of(schedule.kind).size() > 20);
}

TEST_CASE("a pipeline of very many stages is played cell by cell") {
  // One micro-batch goes down 300,000 stages and comes back: a forward and a backward (twice as
  // long) after the other.
  constexpr int stages = 300'000;
  ScheduleTable table;
  table.shape.stages = stages;
  table.stages.assign(stages, {{CellKind::forward}, {CellKind::backward}});
  CHECK(play(table).end() == 3.0 * stages);
}

TEST_CASE("GPipe, 1F1B and its eager kin lose (S - 1) (F + B)") {
  const CellTimes times{.forward = 3, .backward = 5};
  for (const ScheduleKind kind :
       {ScheduleKind::gpipe, ScheduleKind::one_f_one_b, ScheduleKind::eager_1f1b})
    for (const Case& one : cases_of(kind)) {
      if (one.shape.micro_batches < one.shape.stages) continue;  // less than a full pipeline
      INFO(one.name());
      CHECK(bubble(one, times) == Approx((one.shape.stages - 1) * (3 + 5)).margin(1e-9));
    }
}

TEST_CASE("interleaving divides the bubble by the chunks of a rank") {
  // Chunks of 1 / v of a stage: forward 1 / v, backward 2 / v.
  for (const Case& one : cases_of(ScheduleKind::interleaved)) {
    const auto [stages, chunks, micro_batches, paired] = one.shape;
    if (micro_batches < stages) continue;
    INFO(one.name());
    const CellTimes times{.forward = 1.0 / chunks, .backward = 2.0 / chunks};
    CHECK(bubble(one, times) / (3.0 * micro_batches) ==
          Approx((stages - 1.0) / (chunks * micro_batches)).margin(1e-9));
  }
}

TEST_CASE("ZB-H1 loses (S - 1) (F + B - W), ZB-H2 (S - 1) (F + B - 2 W)") {
  // arXiv 2401.10241, table 2; W is no longer than the others, else weight gradients are in the
  // way.
  for (const CellTimes times : {CellTimes{.forward = 1, .backward_input = 1, .backward_weight = 1},
                                {.forward = 1, .backward_input = 1.3, .backward_weight = 1},
                                {.forward = 1, .backward_input = 1, .backward_weight = 0.8}}) {
    const double h1 = times.forward + times.backward_input - times.backward_weight;
    for (const Case& one : cases_of(ScheduleKind::zb_h1)) {
      if (one.shape.micro_batches < one.shape.stages) continue;
      INFO(one.name());
      CHECK(bubble(one, times) == Approx((one.shape.stages - 1) * h1).margin(1e-9));
    }
    for (const Case& one : cases_of(ScheduleKind::zb_h2)) {
      if (one.shape.micro_batches < 2 * one.shape.stages - 1) continue;
      INFO(one.name());
      CHECK(bubble(one, times) ==
            Approx((one.shape.stages - 1) * (h1 - times.backward_weight)).margin(1e-9));
    }
  }
}

TEST_CASE("ZB-V has no bubble when forward, input and weight gradient take the same") {
  for (const Case& one : cases_of(ScheduleKind::zb_v)) {
    if (one.shape.micro_batches < 2 * one.shape.stages - 1) continue;
    INFO(one.name());
    CHECK(bubble(one, {}) == Approx(0).margin(1e-9));
  }
}

TEST_CASE("where its flows meet, DualPipe loses (S / 2 - 1) (F&B + B - 3 W)") {
  // arXiv 2412.19437, table 2. The outer ranks overlap fewer cells, so that they compute longer.
  for (const double overlapped : {2.0, 2.5, 3.0}) {
    const CellTimes times{.overlapped = overlapped};  // F = W = 1, B = 2
    const auto idle_at = [&](const ScheduleTable& table, int stage) {
      double sum = 0;
      const std::vector<Cell>& cells = table.stages[static_cast<std::size_t>(stage)];
      for (std::size_t i = 0; i < cells.size(); ++i) {
        sum += cells[i].overlapped ? times.overlapped : times.of(cells[i]);
        if (cells[i].overlapped) ++i;
      }
      return play(table, times).end() - sum;
    };
    const double each = overlapped + 2 - 3;
    for (const Case& one : cases_of(ScheduleKind::dualpipe)) {
      INFO(one.name());
      const int half = one.shape.stages / 2;
      CHECK(idle_at(one.table(), half) == Approx((half - 1) * each).margin(1e-9));
    }
    for (const Case& one : cases_of(ScheduleKind::dualpipe_v)) {
      INFO(one.name());
      const int last = one.shape.stages - 1;
      CHECK(idle_at(one.table(), last) == Approx(last * each).margin(1e-9));
    }
  }
}

// With its one forward more (interleaved), or as far ahead as eager 1F1B, every pair finds what it
// needs: from the first pair to the last no stage waits, whatever a pair takes.
TEST_CASE("stages that pair forwards with backwards do not wait between pairs") {
  for (const double overlapped : {2.0, 2.5, 3.0})
    for (const ScheduleKind kind : {ScheduleKind::interleaved, ScheduleKind::eager_1f1b})
      for (Case one : cases_of(kind)) {
        if (kind == ScheduleKind::interleaved && one.shape.virtual_stages == 1) continue;
        one.shape.paired = true;
        INFO(one.name() << ", a pair takes " << overlapped);
        const ScheduleTable table = one.table();
        REQUIRE(check(table).empty());
        const Played played = play(table, {.overlapped = overlapped});
        for (std::size_t stage = 0; stage < table.stages.size(); ++stage) {
          const std::vector<Cell>& cells = table.stages[stage];
          const std::vector<Slot>& slots = played.slots[stage];
          double last_end = -1;
          int pairs = 0;
          for (std::size_t i = 0; i < cells.size(); ++i) {
            if (!cells[i].overlapped) continue;
            if (last_end >= 0) CHECK(slots[i].begin == Approx(last_end));
            last_end = slots[i].end;
            ++pairs;
          }
          const auto& [stages, chunks, micro_batches, paired] = one.shape;
          const int behind = stages - static_cast<int>(stage) - 1;  // stages behind this one
          const int ahead = kind == ScheduleKind::eager_1f1b
                                ? 2 * behind + 1
                                : 2 * behind + (chunks - 1) * stages + 1;
          CHECK(pairs == std::max(0, micro_batches * chunks - ahead));
        }
      }
  // One stage: while a micro-batch goes back, the next comes in.
  const ScheduleTable alone = make_table(ScheduleKind::one_f_one_b, {1, 1, 3, true});
  CHECK(play(alone, {.overlapped = 2.5}).end() == Approx(1 + 2 * 2.5 + 2));
}

TEST_CASE("micro-batches in flight are those of the papers") {
  for (const Case& one : small_world()) {
    const ScheduleTable table = one.table();
    const auto [stages, chunks, micro_batches, paired] = one.shape;
    for (int p = 0; p < stages; ++p) {
      const InFlight held = in_flight(table.stages[static_cast<std::size_t>(p)]);
      INFO(one.name() << ", stage " << p);
      const int ahead = std::min(stages - p, micro_batches);
      const int twice = std::min(2 * (stages - p) - 1, micro_batches);
      switch (one.kind) {
        case ScheduleKind::gpipe: CHECK(held.activations == micro_batches); break;
        case ScheduleKind::one_f_one_b: CHECK(held.activations == ahead); break;
        case ScheduleKind::eager_1f1b: CHECK(held.activations == twice); break;
        case ScheduleKind::interleaved: {
          const int warm_up = 2 * (stages - p - 1) + (chunks - 1) * stages;
          CHECK(held.activations ==
                (chunks == 1 ? ahead : std::min(warm_up + 1, chunks * micro_batches)));
          break;
        }
        case ScheduleKind::zb_h1:  // from forward to weight gradient as the first stage of 1F1B
          CHECK(held.activations == ahead);
          CHECK(held.until_weight == std::min(stages, micro_batches));
          break;
        case ScheduleKind::zb_h2:
          CHECK(held.activations == twice);
          CHECK(held.until_weight == std::min(2 * stages - 1, micro_batches));
          break;
        case ScheduleKind::zb_v:  // two chunks a rank: as many as S micro-batches, everywhere
          if (micro_batches >= 2 * stages) CHECK(held.until_weight == 2 * stages);
          CHECK(held.until_weight <= 2 * std::min(stages, micro_batches));
          break;
        case ScheduleKind::dualpipe: CHECK(held.until_weight == stages + 1); break;
        case ScheduleKind::dualpipe_v: CHECK(held.until_weight == 2 * stages + 1); break;
        case ScheduleKind::table: FAIL();
      }
      if (one.kind != ScheduleKind::zb_h1 && one.kind != ScheduleKind::zb_h2 &&
          one.kind != ScheduleKind::zb_v && one.kind != ScheduleKind::dualpipe &&
          one.kind != ScheduleKind::dualpipe_v)
        CHECK(held.until_weight == held.activations);
    }
  }
}

TEST_CASE("interleaved order is Megatron's") {
  // 2 stages, 2 chunks, 4 micro-batches; stage 0 warms up 2 x 1 + 1 x 2 = 4 forwards, stage 1 two.
  const auto text = [](int stage) {
    std::string all;
    for (const Cell& cell : interleaved_cells({2, 2, 4}, stage))
      all += fmt::format(" {}", strategies::text_of(cell, 2));
    return all;
  };
  CHECK(text(0) ==
        " F0.0 F1.0 F0.1 F1.1 F2.0 B0.1 F3.0 B1.1 F2.1 B0.0 F3.1 B1.0 B2.1 B3.1 B2.0 B3.0");
  CHECK(text(1) ==
        " F0.0 F1.0 F0.1 B0.1 F1.1 B1.1 F2.0 B0.0 F3.0 B1.0 F2.1 B2.1 F3.1 B3.1 B2.0 B3.0");
}

TEST_CASE("every layout leads each micro-batch through all virtual stages and back") {
  using strategies::Place;
  for (const Case& one : small_world()) {
    const strategies::PipelineShape shape = one.table().shape;
    for (int stage = 0; stage < shape.stages; ++stage)
      for (int chunk = 0; chunk < shape.chunks; ++chunk) {
        const Place here{stage, chunk};
        const auto next = shape.next(here, true);
        CHECK(next.has_value() == (shape.virtual_stage(here) + 1 < shape.depth()));
        if (!next) continue;
        CHECK(shape.virtual_stage(*next) == shape.virtual_stage(here) + 1);
        CHECK(shape.next(*next, false) == here);
      }
  }
}

}  // namespace
}  // namespace sim::schedule
