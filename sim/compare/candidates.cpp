#include "sim/compare/candidates.hpp"

#include <algorithm>
#include <iterator>
#include <map>
#include <set>
#include <utility>

#include "base/map_reader.hpp"
#include "sim/overlay.hpp"
#include "sim/preset.hpp"
#include "sim/scenario_reader.hpp"

namespace sim::compare {

namespace {

using base::Diagnostic;
using base::Diagnostics;

void append(Diagnostics& to, const Diagnostics& more) {
  to.insert(to.end(), more.begin(), more.end());
}

std::optional<double> price_of(const PlanEntry& entry, const std::optional<Price>& price) {
  if (!price) return std::nullopt;
  return entry.gpu_hour.value_or(price->gpu_hour);
}

/// What is wrong with the words of combinations, and with how many of them.
class WordMistakes {
 public:
  explicit WordMistakes(const PlanSet& set) : set_(set) {}

  void add(const Diagnostics& mistakes) {
    std::set<std::string> told;  // once a combination
    for (const Diagnostic& mistake : mistakes)
      if (told.insert(mistake.format()).second) {
        const auto [known, fresh] = index_.try_emplace(mistake.format(), found_.size());
        if (fresh) found_.push_back({mistake, 0});
        found_[known->second].times += 1;
      }
  }

  /// Those that no other value of another axis can right.
  Diagnostics always() const {
    Diagnostics mistakes;
    for (const Found& one : found_)
      if (one.times == combinations_with(one.mistake.where)) mistakes.push_back(one.mistake);
    return mistakes;
  }

 private:
  struct Found {
    Diagnostic mistake;
    std::size_t times = 0;
  };

  static bool holds(const base::Node& node, const base::SourceRef& where) {
    if (node.line == where.line && node.column == where.column) return true;
    const auto in = [&](const base::Node& inner) { return holds(inner, where); };
    return std::any_of(node.items.begin(), node.items.end(), in) ||
           std::any_of(node.entries.begin(), node.entries.end(), [&](const auto& entry) {
             return (entry.line == where.line && entry.column == where.column) || in(entry.value);
           });
  }

  /// Combinations that have the word at this place: all, but for a value of an axis.
  std::size_t combinations_with(const base::SourceRef& where) const {
    for (const Axis& axis : set_.axes)
      for (const base::Node& value : axis.values)
        if (where.file == set_.file && holds(value, where))
          return set_.combinations() / axis.values.size();
    return set_.combinations();
  }

  const PlanSet& set_;
  std::map<std::string, std::size_t> index_;
  std::vector<Found> found_;
};

}  // namespace

PlanReader::PlanReader(const ScenarioOptions& options, const Scenario& scenario,
                       base::Document document)
    : options_(options),
      scenario_(&scenario),
      document_(std::move(document)),
      seats_(seats_of(scenario.placement, scenario.cluster)) {
  std::erase_if(document_.root.entries,
                [](const base::Node::Entry& entry) { return entry.key != "plan"; });
}

base::Result<PlanReader> PlanReader::make(const ScenarioOptions& options,
                                          const Scenario& scenario) {
  auto document = read_scenario_document(options);
  if (!document) return tl::unexpected(std::move(document.error()));
  if (document->root.find("plan") == nullptr)
    return tl::unexpected(Diagnostics{{{options.path},
                                       "a scenario without 'plan' cannot have other plans",
                                       "write it in foreshard's own form"}});
  return PlanReader(options, scenario, std::move(*document));
}

PlanReading PlanReader::read(const base::Node& keys, const std::string& file) const {
  PlanReading reading;
  base::Document document = document_;
  base::Node own = keys;
  if (!move_to_file(own, document, file)) {
    reading.mistakes.push_back({{file}, "too many values are set", "write them into the file"});
    return reading;
  }
  lay_over(entry_of(document.root, "plan")->value, own);
  reading.mistakes = apply_preset(document, frameworks_folder(options_.hardware_folder));
  base::Origins origins = scenario_->origins;
  base::MapReader plan(document, *document.root.find("plan"), "plan", reading.mistakes, &origins);
  reading.plan = read_plan(plan, options_.path, reading.mistakes);
  if (!base::has_errors(reading.mistakes))
    reading.refusals =
        check_plan(reading.plan, scenario_->model, scenario_->cluster, seats_, origins);
  return reading;
}

base::Result<Candidates> read_candidates(const PlanSet& set, const PlanReader& reader,
                                         const std::optional<Price>& price) {
  Candidates all;
  Diagnostics mistakes;
  const auto take = [&](const PlanEntry& entry, PlanReading& reading, bool combination) {
    all.plans.push_back(
        {entry.name, std::move(reading.plan), price_of(entry, price), entry.where, combination});
  };
  for (const PlanEntry& entry : set.plans) {
    PlanReading reading = reader.read(entry.keys, set.file);
    append(mistakes, reading.mistakes);
    append(mistakes, reading.refusals);
    if (entry.gpu_hour && !price)
      mistakes.push_back({entry.where, "a plan has a price, but the scenario has none",
                          "set price: {gpu_hour: 2.5, currency: USD} in the scenario"});
    take(entry, reading, false);
  }
  WordMistakes words(set);
  for (std::size_t i = 0; i < set.combinations(); ++i) {
    const PlanEntry entry = set.combination(i);
    PlanReading reading = reader.read(entry.keys, set.file);
    words.add(reading.mistakes);
    append(reading.mistakes, reading.refusals);
    if (base::has_errors(reading.mistakes))
      all.refused.push_back({entry.name, std::move(reading.mistakes)});
    else
      take(entry, reading, true);
  }
  append(mistakes, words.always());
  if (base::has_errors(mistakes)) return tl::unexpected(std::move(mistakes));
  return all;
}

}  // namespace sim::compare
