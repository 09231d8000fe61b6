#include "strategies/autoshard/stage_cuts.hpp"

#include <algorithm>
#include <numeric>
#include <set>

#include "base/check.hpp"

namespace strategies::autoshard {

namespace {

using base::Seconds;

std::size_t at(int i) { return static_cast<std::size_t>(i); }

/// Times of all stages that may come about, by stages from the end (0: the last), first and last
/// layer.
class StageTimes {
 public:
  explicit StageTimes(const CutProblem& problem)
      : problem_(problem),
        side_(at(problem.layers) + 1),
        times_(at(problem.stages) * side_ * side_) {
    for (int s = 0; s < problem.stages; ++s) {
      // Layers are left for the stages before and after.
      const int before = problem.stages - 1 - s;
      const int in_flight = std::min(s + 1, problem.micro_batches);
      for (int first = before; first < problem.layers - s; ++first) {
        if (before == 0 && first > 0) break;
        for (int last = first + 1; last <= problem.layers - s; ++last) {
          if (s == 0 && last < problem.layers) continue;
          times_[index(s, first, last)] =
              s > 0 && in_flight == std::min(s, problem.micro_batches) && known(s - 1, first, last)
                  ? times_[index(s - 1, first, last)]
                  : problem.stage_time(first, last, in_flight);
        }
      }
    }
  }

  const std::optional<Seconds>& of(int from_end, int first, int last) const {
    return times_[index(from_end, first, last)];
  }

  std::set<Seconds> distinct() const {
    std::set<Seconds> all;
    for (const std::optional<Seconds>& time : times_)
      if (time) all.insert(*time);
    return all;
  }

 private:
  std::size_t index(int from_end, int first, int last) const {
    return (at(from_end) * side_ + at(first)) * side_ + at(last);
  }
  bool known(int from_end, int first, int last) const {
    return of(from_end, first, last).has_value();
  }

  const CutProblem& problem_;
  std::size_t side_;
  std::vector<std::optional<Seconds>> times_;
};

/// The least sum of times with no stage longer than `longest`.
std::optional<StageCuts> cut_within(const CutProblem& problem, const StageTimes& times,
                                    Seconds longest) {
  const std::size_t side = at(problem.layers) + 1;
  // Of the last s + 1 stages from a layer on.
  std::vector<Seconds> sums(at(problem.stages) * side, Seconds::infinity());
  std::vector<int> ends(at(problem.stages) * side, -1);
  for (int s = 0; s < problem.stages; ++s)
    for (int first = 0; first < problem.layers; ++first)
      for (int last = first + 1; last <= problem.layers; ++last) {
        const std::optional<Seconds>& time = times.of(s, first, last);
        if (!time || *time > longest || (s == 0 && last < problem.layers)) continue;
        const Seconds rest = s == 0 ? Seconds{} : sums[at(s - 1) * side + at(last)];
        Seconds& best = sums[at(s) * side + at(first)];
        if (*time + rest >= best) continue;
        best = *time + rest;
        ends[at(s) * side + at(first)] = last;
      }
  if (sums[at(problem.stages - 1) * side] == Seconds::infinity()) return std::nullopt;
  StageCuts cuts;
  for (int s = problem.stages - 1, first = 0; s >= 0; --s) {
    const int last = ends[at(s) * side + at(first)];
    cuts.first_layers.push_back(first);
    cuts.times.push_back(*times.of(s, first, last));
    first = last;
  }
  cuts.step = step_time(cuts.times, problem.micro_batches);
  return cuts;
}

}  // namespace

Seconds step_time(const std::vector<Seconds>& times, int micro_batches) {
  return std::accumulate(times.begin(), times.end(), Seconds{}) +
         (micro_batches - 1) * *std::max_element(times.begin(), times.end());
}

std::optional<StageCuts> cut_stages(const CutProblem& problem) {
  CHECK_INVARIANT(problem.stages >= 1 && problem.micro_batches >= 1);
  const StageTimes times(problem);
  std::optional<StageCuts> best;
  for (const Seconds longest : times.distinct()) {
    if (best && problem.micro_batches * longest >= best->step) break;
    std::optional<StageCuts> cuts = cut_within(problem, times, longest);
    if (cuts && (!best || cuts->step < best->step)) best = std::move(cuts);
  }
  return best;
}

}  // namespace strategies::autoshard
