#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/score.hpp"
#include "sim/report.hpp"
#include "sim/training/row.hpp"

namespace sim::training {

/// What was forecast for one row. Plain numbers: it crosses a process border.
struct Forecast {
  double step_s = 0;
  double p10_s = 0;
  double p90_s = 0;
  double memory_bytes = 0;    ///< peak, of the rank and in the sense that the row counts it
  double reserved_bytes = 0;  ///< peak of rank 0 as its allocator counts, where the note has it
  bool fits = true;           ///< the fullest rank, everything that a GPU holds
  Breakdown breakdown;
};

/// A row beside its forecast.
struct ForecastRow {
  Row row;
  Forecast forecast;
  std::vector<std::string> inferred;  ///< what the row leaves open
};

/// "Fits" and "does not fit" against what ran and what went out of memory.
struct Verdicts {
  int ran_fits = 0;  ///< right
  int ran_unfit = 0;
  int oom_fits = 0;
  int oom_unfit = 0;  ///< right

  int rows() const { return ran_fits + ran_unfit + oom_fits + oom_unfit; }
  double accuracy() const { return static_cast<double>(ran_fits + oom_unfit) / rows(); }
};

/// How well forecasts choose among the plans of a group.
struct Choice {
  int groups = 0;
  double regret = 0;  ///< measured time of the plan forecast as best over the best - 1, a mean
  double regret_worst = 0;
  int pairs = 0;           ///< of plans of one group whose times differ by more than 2 %
  double concordance = 0;  ///< share of them that the forecast puts in the right order; ties half
};

struct Score {
  base::Score steps;              ///< of all trusted rows with a time; `by` has every regime
  std::vector<ForecastRow> rows;  ///< all that could be expressed, in the order of the table
  base::ScoreFigures low_trust;   ///< of rows that their source doubts, which count nowhere else
  base::ScoreFigures inferred;    ///< of rows with something left open
  /// Errors of peak memory: "memory kind" -> "allocated" and so on.
  std::map<std::string, std::map<std::string, base::ScoreFigures>> memory_by;
  base::ScoreFigures memory;
  base::ScoreFigures noted_reserved;  ///< of peaks that stand in notes, in neither of the above
  Verdicts verdicts;
  std::map<std::string, Choice> choice;  ///< "all", and by GPU and number of nodes
  std::vector<std::string> worst;        ///< ids of the rows furthest off, at most 20
};

/// Plans of one group, as (measured, forecast) times.
using Plans = std::vector<std::pair<double, double>>;

/// The measured time of the plan with the least forecast over the least measured time - 1.
/// \pre there is one
double regret_of(const Plans& plans);

/// Pairs whose measured times differ by more than 2 %, and how many of them the forecast orders
/// rightly; equal forecasts count half.
std::pair<int, double> concordant_pairs(const Plans& plans);

Score make_score(std::vector<ForecastRow> rows, std::vector<base::UnexpressedRow> unexpressed);

}  // namespace sim::training
