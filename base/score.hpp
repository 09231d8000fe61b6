#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

/// How far predictions lie from measurements: what every `validate` subcommand reports.
namespace base {

/// One prediction beside its measurement, in seconds.
struct ScoredRow {
  std::string id;
  double measured = 0;
  double predicted = 0;
  double p10 = 0;  ///< the interval that should hold 80 % of the measurements
  double p90 = 0;
  std::map<std::string, std::string> classes;  ///< "gpu" -> "H100-SXM5-80GB", …: what to score by
};

/// A row that the models cannot price, and why.
struct UnexpressedRow {
  std::string id;
  std::string reason;
};

/// Errors of predicted / measured - 1, as fractions.
struct ScoreFigures {
  int rows = 0;
  double mape = 0;  ///< mean of the absolute error
  double median_ape = 0;
  double p90_ape = 0;
  double bias = 0;               ///< mean of the signed error
  double interval_coverage = 0;  ///< share of measurements between p10 and p90
};

struct Score {
  std::string table;  ///< what was scored, for people
  int rows = 0;       ///< of the table
  ScoreFigures all;
  /// Of training steps only; absent elsewhere.
  std::optional<double> memory_mape;
  std::optional<double> oom_accuracy;
  std::optional<double> plan_regret;
  std::optional<double> concordance;
  std::map<std::string, std::map<std::string, ScoreFigures>> by;
  std::vector<ScoredRow> results;
  std::vector<UnexpressedRow> unexpressed;
};

/// Figures over some rows; zeros without any.
ScoreFigures figures_of(const std::vector<const ScoredRow*>& rows);

/// Overall figures and those of every class that a row names.
Score make_score(std::vector<ScoredRow> results, std::vector<UnexpressedRow> unexpressed);

/// Sets the 80 % interval of a normal distribution of the error in the logarithm.
void set_interval(ScoredRow& row, double spread);

}  // namespace base
