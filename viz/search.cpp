#include "viz/search.hpp"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "base/quantity.hpp"

namespace viz {

namespace {

using sim::search::Summary;

/// "5.11 M", and small numbers as they are.
std::string count(double number) {
  return number < 10'000 ? fmt::format("{:.0f}", number) : base::format_count(number);
}

std::string pruned(const Summary& summary) {
  const sim::search::Counts& counts = summary.counts;
  std::string text = fmt::format(
      "{} do not fit model and cluster, {} not into memory, {} cannot be among the best by a floor "
      "of their step, {} estimated",
      count(counts.refused), count(counts.memory), count(counts.slower), count(counts.estimated));
  if (summary.undecided > 0) text += fmt::format(", {} not reached", count(summary.undecided));
  return text;
}

std::string looked_at(const Summary& summary) {
  std::string text = fmt::format("{} of them closer", summary.kept);
  if (summary.too_large > 0) text += fmt::format(", {} do not fit after all", summary.too_large);
  text += fmt::format("; {} simulated", summary.simulated);
  if (summary.not_simulated > 0 && !summary.proven)
    text += fmt::format(", {} not (--simulate N, or all)", summary.not_simulated);
  if (summary.slowdown > 1)
    text += fmt::format(
        "; what contention did in those counts as if collectives between nodes were {:.1f} times "
        "slower",
        summary.slowdown);
  return text;
}

}  // namespace

std::vector<std::pair<std::string, std::string>> search_lines(const Summary& summary) {
  std::vector<std::pair<std::string, std::string>> lines{
      {"searched", fmt::format("{} plans in {} parts: {}", count(summary.plans), summary.units,
                               pruned(summary))},
      {"looked at", looked_at(summary)},
      {"plan 1 is", verdict(summary)}};
  if (summary.stopped)
    lines.emplace_back("stopped", "before its end; the same command with --state goes on");
  return lines;
}

nlohmann::ordered_json search_json(const Summary& summary) {
  using Json = nlohmann::ordered_json;
  Json axes = Json::object();
  for (const auto& [key, values] : summary.axes) axes[key] = values;
  Json rounds = Json::array();
  for (const sim::search::Round& round : summary.rounds)
    rounds.push_back({{"slowdown", round.slowdown},
                      {"refused", round.counts.refused},
                      {"too_large", round.counts.memory},
                      {"cannot_be_best", round.counts.slower},
                      {"estimated", round.counts.estimated},
                      {"undecided", round.undecided},
                      {"simulated", round.simulated},
                      {"best_s", round.best},
                      {"bound_s", round.bound},
                      {"gap", 1 - round.bound / round.best}});
  return {{"axes", std::move(axes)},
          {"plans", summary.plans},
          {"refused", summary.counts.refused},
          {"too_large", summary.counts.memory},
          {"cannot_be_best", summary.counts.slower},
          {"estimated", summary.counts.estimated},
          {"undecided", summary.undecided},
          {"parts", summary.units},
          {"looked_at", summary.kept},
          {"too_large_after_all", summary.too_large},
          {"simulated", summary.simulated},
          {"not_simulated", summary.not_simulated},
          {"slowdown", summary.slowdown},
          {"stopped", summary.stopped},
          {"proven", summary.proven},
          {"bound_s", summary.bound},
          {"gap", summary.gap},
          {"verdict", sim::search::verdict(summary)},
          {"rounds", std::move(rounds)}};
}

}  // namespace viz
