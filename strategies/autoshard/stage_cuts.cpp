#include "strategies/autoshard/stage_cuts.hpp"

#include <algorithm>
#include <set>

#include "base/check.hpp"

namespace strategies::autoshard {

namespace {

using base::Seconds;

std::size_t at(int i) { return static_cast<std::size_t>(i); }

/// What a stage takes as the slowest, beside the first micro-batch.
Seconds pace(const StageTime& time, int micro_batches) {
  return (micro_batches - 1) * time.micro_batch + time.once;
}

/// Times of all stages that may come about, by stage, first and last layer.
class StageTimes {
 public:
  explicit StageTimes(const CutProblem& problem)
      : problem_(problem),
        side_(at(problem.layers) + 1),
        times_(at(problem.stages) * side_ * side_) {
    const Seconds limit = even_step();
    // Stages that are as slow as all of an even pipeline are in no better one, nor are longer ones.
    const auto helps = [&](int stage, int first, int last) {
      std::optional<StageTime>& time = times_[index(stage, first, last)];
      time = ask(stage, first, last);
      return time && pace(*time, problem.micro_batches) <= limit;
    };
    for (int s = 0; s < problem.stages; ++s) {
      // Layers are left for the stages before and behind.
      const int behind = problem.stages - 1 - s;
      int first = s == 0 ? 0 : problem.layers - behind - 1;
      if (behind == 0) {
        while (first >= s && helps(s, first, problem.layers)) --first;
        continue;
      }
      for (; first >= s; --first)
        for (int last = first + 1; last <= problem.layers - behind; ++last)
          if (!helps(s, first, last)) break;
    }
  }

  const std::optional<StageTime>& of(int stage, int first, int last) const {
    return times_[index(stage, first, last)];
  }

  std::set<Seconds> paces(int micro_batches) const {
    std::set<Seconds> all;
    for (const std::optional<StageTime>& time : times_)
      if (time) all.insert(pace(*time, micro_batches));
    return all;
  }

 private:
  std::size_t index(int stage, int first, int last) const {
    return (at(stage) * side_ + at(first)) * side_ + at(last);
  }
  std::optional<StageTime> ask(int stage, int first, int last) const {
    return problem_.stage_time(
        {stage, first, last, in_flight(stage, problem_.stages, problem_.micro_batches)});
  }

  /// Of stages with as many layers each, or one more; infinite where that does not fit.
  Seconds even_step() const {
    std::vector<StageTime> times;
    for (int s = 0; s < problem_.stages; ++s) {
      const std::optional<StageTime> time = ask(s, s * problem_.layers / problem_.stages,
                                                (s + 1) * problem_.layers / problem_.stages);
      if (!time) return Seconds::infinity();
      times.push_back(*time);
    }
    return step_time(times, problem_.micro_batches);
  }

  const CutProblem& problem_;
  std::size_t side_;
  std::vector<std::optional<StageTime>> times_;
};

/// The least sum of times with no stage slower than `slowest`.
std::optional<StageCuts> cut_within(const CutProblem& problem, const StageTimes& times,
                                    Seconds slowest) {
  const std::size_t side = at(problem.layers) + 1;
  // Of a stage and those behind it, from a layer on.
  std::vector<Seconds> sums(at(problem.stages) * side, Seconds::infinity());
  std::vector<int> ends(at(problem.stages) * side, -1);
  for (int s = problem.stages - 1; s >= 0; --s)
    for (int first = 0; first < problem.layers; ++first)
      for (int last = first + 1; last <= problem.layers; ++last) {
        const std::optional<StageTime>& time = times.of(s, first, last);
        if (!time || pace(*time, problem.micro_batches) > slowest) continue;
        const Seconds rest =
            s + 1 == problem.stages ? Seconds{} : sums[at(s + 1) * side + at(last)];
        Seconds& best = sums[at(s) * side + at(first)];
        if (time->micro_batch + rest >= best) continue;
        best = time->micro_batch + rest;
        ends[at(s) * side + at(first)] = last;
      }
  if (sums[0] == Seconds::infinity()) return std::nullopt;
  StageCuts cuts;
  for (int s = 0, first = 0; s < problem.stages; ++s) {
    const int last = ends[at(s) * side + at(first)];
    cuts.first_layers.push_back(first);
    cuts.times.push_back(*times.of(s, first, last));
    first = last;
  }
  cuts.step = step_time(cuts.times, problem.micro_batches);
  return cuts;
}

}  // namespace

Seconds step_time(const std::vector<StageTime>& times, int micro_batches) {
  Seconds sum;
  Seconds slowest;
  for (const StageTime& time : times) {
    sum += time.micro_batch;
    slowest = std::max(slowest, pace(time, micro_batches));
  }
  return sum + slowest;
}

int in_flight(int stage, int stages, int micro_batches) {
  return std::min(stages - stage, micro_batches);
}

std::optional<StageCuts> cut_stages(const CutProblem& problem) {
  CHECK_INVARIANT(problem.stages >= 1 && problem.micro_batches >= 1);
  const StageTimes times(problem);
  std::optional<StageCuts> best;
  for (const Seconds slowest : times.paces(problem.micro_batches)) {
    if (best && slowest >= best->step) break;
    std::optional<StageCuts> cuts = cut_within(problem, times, slowest);
    if (cuts && (!best || cuts->step < best->step)) best = std::move(cuts);
  }
  return best;
}

}  // namespace strategies::autoshard
