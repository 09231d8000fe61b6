#pragma once

#include <string>
#include <vector>

#include "strategies/autoshard/rules.hpp"
#include "tests/strategies/autoshard/interpreter.hpp"

namespace strategies::autoshard {

struct Case {
  Operation operation;
  Shapes shapes;
  /// By operand: its values are indices below this; 0: values from -3 to 3; -1: from 1 to 7.
  std::vector<int> below = {};
  /// Relative; 0: exact. For contributions that are rounded before they are summed.
  double tolerance = 0;
};

/// Runs an operator on pieces and compares with what it does on whole tensors.
class Proof {
 public:
  /// `reduction`: what contributions of operands and results are put together by. `proved` must
  /// outlive this.
  Proof(const Case& proved, placement::Reduction reduction, placement::Mesh mesh);

  /// What is wrong with operands cut so, and results then taken for this; empty: it holds.
  std::string check(const std::vector<placement::Layout>& operands,
                    const std::vector<placement::Layout>& results) const;

 private:
  Held cut(std::size_t operand, const placement::Layout& layout, int rank) const;
  /// `made`: results by rank.
  std::string compare(const placement::Layout& layout, std::size_t result,
                      const std::vector<std::vector<Held>>& made) const;

  const Case& case_;
  placement::Reduction reduction_;
  placement::Mesh mesh_;
  std::vector<Held> operands_;
  std::vector<Held> results_;
};

}  // namespace strategies::autoshard
