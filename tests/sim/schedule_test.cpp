#include "sim/schedule/schedule.hpp"

#include <algorithm>
#include <map>
#include <set>
#include <tuple>

#include "tests/support/catch.hpp"

namespace sim::schedule {
namespace {

using strategies::ScheduleKind;

struct Case {
  ScheduleKind kind;
  Shape shape;
};

/// Every small shape that a plan may ask for.
std::vector<Case> small_world() {
  std::vector<Case> cases;
  for (int stages = 1; stages <= 6; ++stages)
    for (int micro_batches = 1; micro_batches <= 12; ++micro_batches) {
      cases.push_back({ScheduleKind::gpipe, {stages, 1, micro_batches}});
      cases.push_back({ScheduleKind::one_f_one_b, {stages, 1, micro_batches}});
      for (int chunks = 1; chunks <= 4; ++chunks)
        if (chunks == 1 || micro_batches % stages == 0)
          cases.push_back({ScheduleKind::interleaved, {stages, chunks, micro_batches}});
    }
  return cases;
}

/// Plays a schedule with forwards of 1 / v and backwards of 2 / v and free messages. A cell starts
/// when its stage is free and the cell that it needs is done. Returns the end; -1 on deadlock.
double play(const Case& what) {
  const auto [stages, chunks, micro_batches] = what.shape;
  std::vector<std::vector<Cell>> cells;
  for (int stage = 0; stage < stages; ++stage)
    cells.push_back(schedule_for(what.kind).cells(what.shape, stage));
  std::map<std::tuple<bool, int, int>, double> done;  // forward, micro-batch, place in the model
  std::vector<std::size_t> next(cells.size(), 0);
  std::vector<double> clock(cells.size(), 0);
  const int places = stages * chunks;
  std::size_t left = cells.size() * cells[0].size();
  for (bool moved = true; moved;) {
    moved = false;
    for (std::size_t stage = 0; stage < cells.size(); ++stage)
      while (next[stage] < cells[stage].size()) {
        const Cell& cell = cells[stage][next[stage]];
        const int place = cell.chunk * stages + static_cast<int>(stage);
        double ready = 0;
        if (cell.forward && place > 0) {
          const auto before = done.find({true, cell.micro_batch, place - 1});
          if (before == done.end()) break;
          ready = before->second;
        }
        if (!cell.forward) {
          const auto before = place == places - 1 ? done.find({true, cell.micro_batch, place})
                                                  : done.find({false, cell.micro_batch, place + 1});
          if (before == done.end()) break;
          ready = before->second;
        }
        clock[stage] = std::max(clock[stage], ready) + (cell.forward ? 1.0 : 2.0) / chunks;
        done[{cell.forward, cell.micro_batch, place}] = clock[stage];
        ++next[stage];
        --left;
        moved = true;
      }
  }
  return left == 0 ? *std::max_element(clock.begin(), clock.end()) : -1;
}

TEST_CASE("each micro-batch and chunk goes once forward and then once back") {
  for (const Case& one : small_world())
    for (int stage = 0; stage < one.shape.stages; ++stage) {
      std::set<std::pair<int, int>> forward;
      std::set<std::pair<int, int>> backward;
      const std::vector<Cell> cells = schedule_for(one.kind).cells(one.shape, stage);
      for (const Cell& cell : cells) {
        const std::pair what{cell.micro_batch, cell.chunk};
        if (cell.forward) {
          CHECK(forward.insert(what).second);
        } else {
          CHECK(forward.count(what) == 1);
          CHECK(backward.insert(what).second);
        }
      }
      CHECK(forward.size() ==
            static_cast<std::size_t>(one.shape.micro_batches * one.shape.virtual_stages));
      CHECK(backward == forward);
    }
}

TEST_CASE("no small schedule deadlocks") {
  std::size_t played = 0;
  for (const Case& one : small_world()) {
    INFO(schedule_for(one.kind).name << " stages " << one.shape.stages << " chunks "
                                     << one.shape.virtual_stages << " micro-batches "
                                     << one.shape.micro_batches);
    CHECK(play(one) > 0);
    ++played;
  }
  CHECK(played > 200);
}

TEST_CASE("the bubble is the closed form") {
  // Ideal: m x 3. GPipe and 1F1B lose (S - 1) x 3; interleaved (S - 1) x 3 / v.
  for (const Case& one : small_world()) {
    const auto [stages, chunks, micro_batches] = one.shape;
    if (micro_batches < stages) continue;  // fewer than a full pipeline: the same or less
    INFO(schedule_for(one.kind).name << " stages " << stages << " chunks " << chunks
                                     << " micro-batches " << micro_batches);
    const double bubble = play(one) / (3.0 * micro_batches) - 1;
    CHECK(bubble == Approx((stages - 1.0) / (chunks * micro_batches)).margin(1e-9));
  }
}

TEST_CASE("1F1B holds at most as many micro-batches as there are stages left") {
  for (const Case& one : small_world()) {
    if (one.kind != ScheduleKind::one_f_one_b) continue;
    for (int stage = 0; stage < one.shape.stages; ++stage) {
      int held = 0;
      int most = 0;
      for (const Cell& cell : one_f_one_b_cells(one.shape, stage))
        most = std::max(most, held += cell.forward ? 1 : -1);
      CHECK(most == std::min(one.shape.stages - stage, one.shape.micro_batches));
    }
  }
}

TEST_CASE("interleaved order is Megatron's") {
  // 2 stages, 2 chunks, 4 micro-batches; stage 0 warms up 2 x 1 + 1 x 2 = 4 forwards, stage 1 two.
  // f0.0 = forward, micro-batch 0, chunk 0.
  const auto text = [](int stage) {
    std::string all;
    for (const Cell& cell : interleaved_cells({2, 2, 4}, stage))
      all += (cell.forward ? " f" : " b") + std::to_string(cell.micro_batch) + "." +
             std::to_string(cell.chunk);
    return all;
  };
  CHECK(text(0) ==
        " f0.0 f1.0 f0.1 f1.1 f2.0 b0.1 f3.0 b1.1 f2.1 b0.0 f3.1 b1.0 b2.1 b3.1 b2.0 b3.0");
  CHECK(text(1) ==
        " f0.0 f1.0 f0.1 b0.1 f1.1 b1.1 f2.0 b0.0 f3.0 b1.0 f2.1 b2.1 f3.1 b3.1 b2.0 b3.0");
}

}  // namespace
}  // namespace sim::schedule
