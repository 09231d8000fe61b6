#pragma once

#include <optional>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

namespace re2 {
class RE2;
}

namespace topology {

/// Names that are looked for by their text or by regular expressions. The tries of expressions are
/// counted: past the limit nothing is found, so that no dump takes hours.
class NameSearch {
 public:
  NameSearch() = default;
  explicit NameSearch(const std::vector<std::string_view>& names);

  std::optional<std::size_t> find(std::string_view name) const;
  /// Indices of the names in which the expression matches somewhere, ascending.
  std::vector<std::size_t> match(const re2::RE2& pattern);
  /// Counts one try; false past the limit.
  bool spend();
  bool exhausted() const { return tries_left_ < 0; }

 private:
  std::unordered_map<std::string_view, std::size_t> index_;
  std::vector<std::pair<std::string_view, std::size_t>> sorted_;
  long tries_left_ = 20'000'000;
};

}  // namespace topology
