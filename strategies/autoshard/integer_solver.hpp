#pragma once

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

/// The library that solves integer programmes: HiGHS where the build has found it, CBC otherwise.
namespace strategies::autoshard {

/// min costs x, row_low <= A x <= row_high, x >= 0; the first columns are 0 or 1. A sparse matrix
/// that grows column by column.
struct Programme {
  std::vector<int> starts{0};  ///< of each column in `rows` and `values`
  std::vector<int> rows;
  std::vector<double> values;
  std::vector<double> costs;
  std::vector<double> row_low;
  std::vector<double> row_high;
  std::vector<double> upper;  ///< of the columns that are 0 or 1

  int add_row(double low, double high) {
    row_low.push_back(low);
    row_high.push_back(high);
    return static_cast<int>(row_low.size()) - 1;
  }
  void add_column(double cost, std::vector<std::pair<int, double>> entries) {
    std::sort(entries.begin(), entries.end());
    for (const auto& [row, value] : entries) {
      rows.push_back(row);
      values.push_back(value);
    }
    costs.push_back(cost);
    starts.push_back(static_cast<int>(rows.size()));
  }
};

struct ProgrammeAnswer {
  bool feasible = true;          ///< false: proven that nothing below the cutoff is
  std::vector<double> solution;  ///< empty: none was found
  double bound = 0;              ///< nothing costs less
};

/// Branch and cut for what costs less than `cutoff`, on one thread, until the gap is a share of
/// 1e-9 or after `nodes` of the search tree.
ProgrammeAnswer solve_programme(const Programme& programme, double cutoff, int nodes);

/// "CBC 2.10.8".
std::string integer_solver();

}  // namespace strategies::autoshard
