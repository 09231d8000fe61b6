#include "calibrate/fit/minimise.hpp"

#include <algorithm>

#include "base/check.hpp"

namespace calibrate::fit {

namespace {

struct Vertex {
  std::vector<double> at;
  double value = 0;
};

/// `from` + factor (to - from).
std::vector<double> along(const std::vector<double>& from, const std::vector<double>& to,
                          double factor) {
  std::vector<double> point = from;
  for (std::size_t i = 0; i < point.size(); ++i) point[i] += factor * (to[i] - from[i]);
  return point;
}

}  // namespace

std::vector<double> minimise(const std::function<double(const std::vector<double>&)>& value,
                             const std::vector<double>& start, double step, int evaluations) {
  CHECK_INVARIANT(!start.empty());
  const auto vertex = [&](std::vector<double> at) {
    --evaluations;
    const double found = value(at);
    return Vertex{std::move(at), found};
  };
  std::vector<Vertex> simplex{vertex(start)};
  for (std::size_t i = 0; i < start.size(); ++i) {
    std::vector<double> moved = start;
    moved[i] += step;
    simplex.push_back(vertex(std::move(moved)));
  }
  const auto better = [](const Vertex& a, const Vertex& b) { return a.value < b.value; };
  while (evaluations > 0) {
    std::stable_sort(simplex.begin(), simplex.end(), better);
    const Vertex& worst = simplex.back();
    std::vector<double> centre(start.size(), 0.0);
    for (std::size_t v = 0; v + 1 < simplex.size(); ++v)
      for (std::size_t i = 0; i < centre.size(); ++i)
        centre[i] += simplex[v].at[i] / static_cast<double>(start.size());
    Vertex next = vertex(along(centre, worst.at, -1));  // reflected
    if (next.value < simplex.front().value) {
      Vertex farther = vertex(along(centre, worst.at, -2));
      if (better(farther, next)) next = std::move(farther);
    } else if (next.value >= simplex[simplex.size() - 2].value) {
      next = vertex(along(centre, worst.at, next.value < worst.value ? -0.5 : 0.5));
    }
    if (next.value < worst.value) {
      simplex.back() = std::move(next);
      continue;
    }
    for (std::size_t v = 1; v < simplex.size(); ++v)
      simplex[v] = vertex(along(simplex.front().at, simplex[v].at, 0.5));
  }
  return std::min_element(simplex.begin(), simplex.end(), better)->at;
}

}  // namespace calibrate::fit
