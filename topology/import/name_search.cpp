#include "topology/import/name_search.hpp"

#include <re2/re2.h>

#include <algorithm>
#include <string>

namespace topology {

NameSearch::NameSearch(const std::vector<std::string_view>& names) {
  for (std::size_t i = 0; i < names.size(); ++i) {
    index_.emplace(names[i], i);
    sorted_.emplace_back(names[i], i);
  }
  std::sort(sorted_.begin(), sorted_.end());
}

std::optional<std::size_t> NameSearch::find(std::string_view name) const {
  const auto found = index_.find(name);
  return found == index_.end() ? std::nullopt : std::optional<std::size_t>(found->second);
}

std::vector<std::size_t> NameSearch::match(const re2::RE2& pattern) {
  // An expression that begins with "^gpu-a" can only match names of one stretch.
  constexpr int range_bytes = 32;
  std::string low;
  std::string high;
  auto from = sorted_.begin();
  auto to = sorted_.end();
  if (pattern.PossibleMatchRange(&low, &high, range_bytes)) {
    from = std::lower_bound(
        sorted_.begin(), sorted_.end(), low,
        [](const auto& name, const std::string& text) { return name.first < text; });
    to = std::upper_bound(from, sorted_.end(), high, [](const std::string& text, const auto& name) {
      return text < name.first;
    });
  }
  std::vector<std::size_t> found;
  for (; from < to && spend(); ++from)
    if (re2::RE2::PartialMatch(re2::StringPiece(from->first.data(), from->first.size()), pattern))
      found.push_back(from->second);
  std::sort(found.begin(), found.end());
  return found;
}

bool NameSearch::spend() {
  if (tries_left_ >= 0) --tries_left_;
  return tries_left_ >= 0;
}

}  // namespace topology
