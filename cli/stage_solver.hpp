#pragma once

#include <map>
#include <optional>
#include <string>
#include <tuple>
#include <vector>

#include "cli/autoshard_problem.hpp"
#include "strategies/autoshard/stage_cuts.hpp"
#include "strategies/autoshard/stage_problem.hpp"

namespace cli {

/// A stage of a pipeline, sharded at its best.
struct StagePlan {
  int first = 0;  ///< layers [first, last)
  int last = 0;
  strategies::autoshard::StageTime time;
  base::Seconds received;  ///< of a micro-batch, messages
  base::Seconds relaid;    ///< and what brings its own into the layouts of the receivers
  strategies::autoshard::Solution solution;
};

struct PipelinePlan {
  std::vector<StagePlan> stages;
  base::Seconds step;  ///< see step_time()
  base::Seconds free;  ///< the step if stages had not to agree on layouts at their cuts
  bool proven = true;  ///< each stage's plan is the best for its layers
};

/// Cuts the layers of a model into stages, with the problem's number of micro-batches. Each stage
/// has the prices of where it sits. Of a model with tied embeddings the first and the last stage
/// hold the table, and sum its gradient between them.
class StageSolver {
 public:
  /// Prints mistakes and leaves. `whole` outlives this.
  StageSolver(const AutoshardProblem& whole, int stages);

  /// Nothing: no cuts meet the demands.
  std::optional<PipelinePlan> best();

 private:
  struct Site {
    int problem = 0;                            ///< into problems_
    std::vector<calibrate::GroupShape> before;  ///< pairs with the stage before, and behind
    std::vector<calibrate::GroupShape> behind;

    auto key() const { return std::tie(problem, before, behind); }
  };
  struct Solved {
    strategies::autoshard::StageProblem stage;
    std::optional<strategies::autoshard::Solution> solution;
  };

  void find_layers();
  void place();
  void share_table(strategies::autoshard::Problem& problem) const;
  strategies::autoshard::Demands demands_in(const strategies::autoshard::Problem& problem) const;
  const Solved& solved(const strategies::autoshard::StageRange& range);
  const Solved& solved_of(const strategies::autoshard::StageCuts& cuts, int stage);
  strategies::autoshard::StageRange range_of(const strategies::autoshard::StageCuts& cuts,
                                             int stage) const;
  void lay_anew(const strategies::autoshard::StageCuts& cuts, PipelinePlan& plan);

  const AutoshardProblem& whole_;
  int stages_;
  std::string first_;  ///< block in front of the layers, and behind them
  std::string last_;
  std::vector<std::string> layers_;                       ///< the block of each
  std::vector<strategies::autoshard::Problem> problems_;  ///< of the whole model, by where it sits
  std::vector<Site> sites_;                               ///< by stage
  std::vector<int> site_of_;  ///< by stage: the first stage that is like it
  std::map<std::tuple<std::map<std::string, int>, int, int>, Solved> solved_;
};

}  // namespace cli
