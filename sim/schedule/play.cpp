#include "sim/schedule/play.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/check.hpp"

namespace sim::schedule {

namespace {

using strategies::PipelineLayout;
using strategies::Place;

std::size_t at(int i) { return static_cast<std::size_t>(i); }

std::string text(const ScheduleTable& table, const Cell& cell) {
  return strategies::text_of(cell, table.shape.chunks);
}

/// A result that a cell needs: of a forward, or of a backward or input gradient.
struct Need {
  Place place;
  bool forward = true;
  int micro_batch = 0;
};

/// When each result is there; below 0: not yet.
class Results {
 public:
  explicit Results(const ScheduleTable& table) : table_(table) {
    const std::size_t places = at(table.shape.stages) * at(table.shape.chunks);
    for (auto& times : times_) times.assign(places * at(table.micro_batches), -1);
  }
  double& of(const Need& need) {
    const std::size_t place = at(need.place.stage) * at(table_.shape.chunks) + at(need.place.chunk);
    return times_[need.forward ? 1 : 0][place * at(table_.micro_batches) + at(need.micro_batch)];
  }

 private:
  const ScheduleTable& table_;
  std::array<std::vector<double>, 2> times_;
};

/// At most two: what comes from another place, and what was done before here.
std::vector<Need> needs(const ScheduleTable& table, int stage, const Cell& cell) {
  const Place here{stage, cell.chunk};
  if (!cell.passes_on()) return {{here, false, cell.micro_batch}};
  std::vector<Need> all;
  if (const auto other = table.shape.next(here, !cell.forward()))
    all.push_back({*other, cell.forward(), cell.micro_batch});
  if (!cell.forward()) all.push_back({here, true, cell.micro_batch});
  return all;
}

class Player {
 public:
  Player(const ScheduleTable& table, const CellTimes& times)
      : table_(table), times_(times), results_(table), next_(table.stages.size(), 0) {
    for (const std::vector<Cell>& cells : table.stages) played_.slots.emplace_back(cells.size());
  }

  Played run() {
    // Only who takes a result is looked at again: a cell costs the same in any number of stages.
    for (int stage = table_.shape.stages - 1; stage >= 0; --stage) ready_.push_back(stage);
    while (!ready_.empty()) {
      const int stage = ready_.back();
      ready_.pop_back();
      while (step(stage)) {
      }
    }
    for (int stage = 0; stage < table_.shape.stages; ++stage)
      if (!done(stage)) {
        played_.deadlock = deadlock(stage);
        played_.slots.clear();
        break;
      }
    return std::move(played_);
  }

 private:
  const std::vector<Cell>& cells(int stage) const { return table_.stages[at(stage)]; }
  bool done(int stage) const { return next_[at(stage)] == cells(stage).size(); }

  /// Runs the next cell of a stage, or pair of cells; false when it has to wait or there is none.
  bool step(int stage) {
    if (done(stage)) return false;
    const std::size_t first = next_[at(stage)];
    const std::size_t count = cells(stage)[first].overlapped ? 2 : 1;
    double begin = first == 0 ? 0 : played_.slots[at(stage)][first - 1].end;
    for (std::size_t i = first; i < first + count; ++i)
      for (const Need& need : needs(table_, stage, cells(stage)[i])) {
        const double there = results_.of(need);
        if (there < 0) return false;
        begin = std::max(begin, there);
      }
    const double end = begin + (count == 2 ? times_.overlapped : times_.of(cells(stage)[first]));
    for (std::size_t i = first; i < first + count; ++i) {
      const Cell& cell = cells(stage)[i];
      played_.slots[at(stage)][i] = {begin, end};
      if (cell.passes_on()) pass_on({stage, cell.chunk}, cell, end);
    }
    next_[at(stage)] += count;
    return true;
  }

  void pass_on(Place here, const Cell& cell, double end) {
    results_.of({here, cell.forward(), cell.micro_batch}) = end;
    if (const auto taker = table_.shape.next(here, cell.forward())) ready_.push_back(taker->stage);
  }

  /// What the next cell of a stage waits for. \pre the stage cannot go on.
  std::pair<std::size_t, Need> waits_for(int stage) {
    const std::size_t first = next_[at(stage)];
    const std::size_t count = cells(stage)[first].overlapped ? 2 : 1;
    for (std::size_t i = first; i < first + count; ++i)
      for (const Need& need : needs(table_, stage, cells(stage)[i]))
        if (results_.of(need) < 0) return {i, need};
    CHECK_INVARIANT(false);
    return {};
  }

  /// Follows the waiting from `stage` until a stage comes for the second time.
  Problem deadlock(int stage) {
    std::vector<bool> seen(table_.stages.size(), false);
    for (; !seen[at(stage)]; stage = waits_for(stage).second.place.stage) seen[at(stage)] = true;
    const auto [cell, need] = waits_for(stage);
    const auto name = [&](const Need& what) {
      return text(table_, {what.forward ? CellKind::forward : CellKind::backward, what.micro_batch,
                           what.place.chunk});
    };
    std::string message = fmt::format("stage {}, cell {} '{}' waits for '{}'", stage, cell,
                                      text(table_, cells(stage)[cell]), name(need));
    if (need.place.stage == stage) {
      message += ", which comes later on the same stage";
      return {stage, static_cast<int>(cell), std::move(message)};
    }
    message += fmt::format(" of stage {}", need.place.stage);
    for (int other = need.place.stage; other != stage;) {
      const auto [blocked, wanted] = waits_for(other);
      message += fmt::format(", where '{}' waits for '{}' of stage {}",
                             text(table_, cells(other)[blocked]), name(wanted), wanted.place.stage);
      other = wanted.place.stage;
    }
    return {stage, static_cast<int>(cell), message + ": a circle"};
  }

  const ScheduleTable& table_;
  const CellTimes& times_;
  Results results_;
  std::vector<std::size_t> next_;
  std::vector<int> ready_;  ///< stages that may be able to go on
  Played played_;
};

/// Looks at each cell of one stage by itself, and whether all are there.
class StageCheck {
 public:
  StageCheck(const ScheduleTable& table, int stage, std::vector<Problem>& problems)
      : table_(table), stage_(stage), problems_(problems) {}

  void run() {
    const std::vector<Cell>& cells = table_.stages[at(stage_)];
    for (auto& seen : seen_) seen.assign(at(table_.shape.chunks) * at(table_.micro_batches), false);
    for (std::size_t i = 0; i < cells.size(); ++i) {
      look(cells[i], static_cast<int>(i));
      if (cells[i].overlapped) pair(i);
    }
    for (int chunk = 0; chunk < table_.shape.chunks; ++chunk)
      for (int i = 0; i < table_.micro_batches; ++i)
        if (comes_here(i, chunk)) complete(i, chunk);
    if (lacking_ > lacking_max)
      add(-1, fmt::format(" lacks {} cells more", lacking_ - lacking_max));
  }

 private:
  void add(int cell, std::string message) {
    problems_.push_back({stage_, cell, fmt::format("stage {}{}", stage_, std::move(message))});
  }
  std::string at_cell(int index) const {
    return fmt::format(", cell {} '{}'", index, text(table_, table_.stages[at(stage_)][at(index)]));
  }

  /// Of two copies of the model, the first half of the micro-batches goes through the first.
  bool comes_here(int micro_batch, int chunk) const {
    return table_.shape.layout != PipelineLayout::bidirectional ||
           chunk == (micro_batch < table_.micro_batches / 2 ? 0 : 1);
  }

  std::vector<bool>::reference seen(CellKind kind, int micro_batch, int chunk) {
    return seen_[static_cast<std::size_t>(kind)]
                [at(chunk) * at(table_.micro_batches) + at(micro_batch)];
  }

  void look(const Cell& cell, int index) {
    if (cell.chunk < 0 || cell.chunk >= table_.shape.chunks)
      return add(index, fmt::format("{}: a rank has chunks 0 to {}", at_cell(index),
                                    table_.shape.chunks - 1));
    if (cell.micro_batch < 0 || cell.micro_batch >= table_.micro_batches)
      return add(index, fmt::format("{}: there are micro-batches 0 to {}", at_cell(index),
                                    table_.micro_batches - 1));
    if (!comes_here(cell.micro_batch, cell.chunk))
      return add(index, fmt::format("{}: the first half of the micro-batches goes through chunk 0, "
                                    "the second through chunk 1",
                                    at_cell(index)));
    auto before = seen(cell.kind, cell.micro_batch, cell.chunk);
    if (before) add(index, fmt::format("{} comes a second time", at_cell(index)));
    before = true;
  }

  void pair(std::size_t i) {
    const std::vector<Cell>& cells = table_.stages[at(stage_)];
    const bool ends = i + 1 == cells.size();
    if (ends || cells[i + 1].overlapped || cells[i].forward() == cells[i + 1].forward() ||
        !cells[i].passes_on() || !cells[i + 1].passes_on())
      add(static_cast<int>(i), fmt::format("{}: only a forward and a backward can run at once",
                                           at_cell(static_cast<int>(i))));
  }

  void complete(int micro_batch, int chunk) {
    const auto has = [&](CellKind kind) -> bool { return seen(kind, micro_batch, chunk); };
    const auto lacks = [&](CellKind kind) {
      if (++lacking_ <= lacking_max)
        add(-1, fmt::format(" lacks '{}'", text(table_, {kind, micro_batch, chunk})));
    };
    if (!has(CellKind::forward)) lacks(CellKind::forward);
    const bool fused = has(CellKind::backward);
    const bool input = has(CellKind::backward_input);
    const bool weight = has(CellKind::backward_weight);
    if (fused && (input || weight))
      add(-1, fmt::format(" has '{}' both whole and in two parts",
                          text(table_, {CellKind::backward, micro_batch, chunk})));
    if (!fused && !input) lacks(CellKind::backward);
    if (input && !weight) lacks(CellKind::backward_weight);
  }

  /// Cells that are named, of all that lack: one cell far outside leaves a million of them out.
  static constexpr int lacking_max = 20;

  const ScheduleTable& table_;
  int stage_;
  std::vector<Problem>& problems_;
  int lacking_ = 0;
  std::array<std::vector<bool>, strategies::cell_kind_count> seen_;
};

}  // namespace

double CellTimes::of(const Cell& cell) const {
  switch (cell.kind) {
    case CellKind::forward: return forward;
    case CellKind::backward: return backward;
    case CellKind::backward_input: return backward_input;
    case CellKind::backward_weight: return backward_weight;
  }
  return 0;
}

double Played::end() const {
  double last = 0;
  for (const std::vector<Slot>& stage : slots)
    if (!stage.empty()) last = std::max(last, stage.back().end);
  return last;
}

double Played::longest_stage() const {
  double longest = 0;
  for (const std::vector<Slot>& stage : slots)
    if (!stage.empty()) longest = std::max(longest, stage.back().end - stage.front().begin);
  return longest;
}

Played play(const ScheduleTable& table, const CellTimes& times) {
  return Player(table, times).run();
}

std::vector<Problem> check(const ScheduleTable& table) {
  CHECK_INVARIANT(table.stages.size() == at(table.shape.stages));
  std::vector<Problem> problems;
  for (int stage = 0; stage < table.shape.stages; ++stage) StageCheck(table, stage, problems).run();
  if (!problems.empty()) return problems;
  if (auto deadlock = play(table).deadlock) problems.push_back(std::move(*deadlock));
  return problems;
}

InFlight in_flight(const std::vector<Cell>& cells) {
  InFlight most;
  int activations = 0;
  int until_weight = 0;
  for (const Cell& cell : cells) {
    if (cell.forward()) {
      ++activations;
      ++until_weight;
    } else {
      if (cell.passes_on()) --activations;
      if (cell.makes_gradients()) --until_weight;
    }
    most.activations = std::max(most.activations, activations);
    most.until_weight = std::max(most.until_weight, until_weight);
  }
  return most;
}

}  // namespace sim::schedule
