#include "viz/cluster_survey.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <string_view>

#include "base/quantity.hpp"
#include "topology/node_tally.hpp"
#include "topology/summary.hpp"
#include "viz/table.hpp"
#include "viz/terminal.hpp"

namespace viz {

namespace {

using Json = nlohmann::ordered_json;
using topology::count_of;
using topology::grouped;
using topology::Survey;

/// Kinds of change are listed whole up to this many.
constexpr int changes_shown = 20;
/// Classes of nodes and switches beyond this many are only counted.
constexpr std::size_t classes_shown = 8;

std::string or_dash(const std::string& text) { return text.empty() ? "-" : text; }

/// Networks as a whole have rates of millions of Gbit/s.
std::string rate_text(base::BytesPerSecond rate) {
  return rate.gbit() < 10'000
             ? base::format_gbit(rate)
             : fmt::format("{} Tbit/s", grouped(static_cast<std::int64_t>(rate.gbit() / 1000)));
}

std::string percent(double share) { return fmt::format("{:.0f} %", 100 * share); }

std::string heading(const topology::FoundCluster& found, const Survey& survey) {
  std::string out = fmt::format("{} node{}, {} GPUs", grouped(survey.nodes),
                                survey.nodes == 1 ? "" : "s", grouped(survey.gpus));
  if (survey.occupancy_known)
    out += fmt::format("; free: {} whole nodes, {} GPUs", grouped(survey.free_nodes),
                       grouped(survey.free_gpus));
  out += "\n";
  for (const topology::FoundCluster::Source& source : found.sources)
    out += fmt::format("  from {} ({}){}{}\n", printable(source.file), source.format,
                       source.told.empty() ? "" : ": ", printable(source.told));
  if (!survey.occupancy_known && survey.gpus > 0)
    out += "  no dump says what runs: all available GPUs count as free\n";
  return out;
}

std::string inventory_text(const Survey& survey) {
  std::vector<std::vector<std::string>> rows;
  for (const topology::InventoryRow& row : survey.inventory)
    rows.push_back({grouped(row.nodes), or_dash(row.type), or_dash(row.gpu), grouped(row.gpus),
                    grouped(row.free_gpus), row.unavailable});
  return "\nInventory\n" + table({{"nodes", true},
                                  {"type"},
                                  {"GPU"},
                                  {"usable GPUs", true},
                                  {"free GPUs", true},
                                  {"not available because"}},
                                 rows);
}

std::string levels_text(const Survey& survey) {
  std::vector<Column> columns{{"level"},
                              {"domains", true},
                              {"nodes each", true},
                              {"most free", true},
                              {"fragmentation", true}};
  for (const int size : survey.slot_sizes) columns.push_back({fmt::format("x {}", size), true});
  columns.push_back({"freest domain"});
  std::vector<std::vector<std::string>> rows;
  for (const topology::LevelSurvey& level : survey.levels) {
    std::vector<std::string> row{
        level.name, grouped(level.domains),
        level.nodes_min == level.nodes_max
            ? grouped(level.nodes_max)
            : fmt::format("{} to {}", grouped(level.nodes_min), grouped(level.nodes_max)),
        grouped(level.free_max), percent(level.fragmentation)};
    for (const std::int64_t slots : level.slots) row.push_back(grouped(slots));
    row.push_back(or_dash(level.freest));
    rows.push_back(std::move(row));
  }
  std::string out = "\nLevels, coarse to fine\n" + table(columns, rows);
  if (!survey.slot_sizes.empty())
    out += "  x N: jobs of N GPUs, on whole free nodes, that fit inside one domain each\n";
  for (const topology::LevelSurvey& level : survey.levels)
    if (level.unplaced > 0)
      out += fmt::format("  {} in no domain of {}\n", count_of(level.unplaced, "node"),
                         printable(level.name));
  return out;
}

std::string_view name_of(topology::DeviceKind kind) {
  switch (kind) {
    case topology::DeviceKind::nic: return "NICs";
    case topology::DeviceKind::leaf: return "leaves";
    case topology::DeviceKind::spine: return "spines";
    case topology::DeviceKind::core: return "cores";
    default: return "devices";
  }
}

std::string network_text(const Survey& survey) {
  std::string out;
  std::vector<std::vector<std::string>> rows;
  for (const topology::Tier& tier : survey.tiers)
    rows.push_back({fmt::format("{} to {}", name_of(tier.lower), name_of(tier.upper)),
                    grouped(tier.cables), rate_text(tier.rate),
                    fmt::format("{:.3g} : 1", tier.oversubscription)});
  if (!rows.empty())
    out += "\nNetwork, one direction, usable by payload\n" +
           table({{"tier"}, {"live cables", true}, {"together", true}, {"oversubscription", true}},
                 rows);
  if (survey.bisection)
    out += fmt::format(
        "  between the two halves of the nodes, in the order of their domains: {}, "
        "{} of what their NICs can send\n",
        rate_text(*survey.bisection), percent(survey.bisection_share));
  if (survey.cables > 0)
    out += fmt::format("  cables in the dumps: {}, {} down, {} degraded\n", grouped(survey.cables),
                       grouped(survey.cables_down), grouped(survey.cables_degraded));
  return out;
}

std::string classes_text(const Survey& survey) {
  std::string out = "\nAlike (as far as the network tells)\n";
  for (const bool switches : {false, true}) {
    std::vector<const topology::SymmetryClass*> classes;
    for (const topology::SymmetryClass& one : survey.classes)
      if (one.switches == switches) classes.push_back(&one);
    if (classes.empty()) continue;
    out += fmt::format("  {}: ", switches ? "switches" : "nodes");
    for (std::size_t i = 0; i < std::min(classes.size(), classes_shown); ++i)
      out += fmt::format("{}{} like {}", i > 0 ? ", " : "", grouped(classes[i]->members),
                         printable(classes[i]->example));
    if (classes.size() > classes_shown)
      out += fmt::format(", and {} more kinds", classes.size() - classes_shown);
    out += "\n";
  }
  return out;
}

std::string anomalies_text(const Survey& survey) {
  if (survey.anomalies.empty()) return "";
  std::string out = "\nNot as their neighbours\n";
  for (const topology::Anomaly& one : survey.anomalies)
    out += fmt::format("  {} ({}): {}\n", one.kind, one.count, printable(one.what));
  return out;
}

}  // namespace

std::string cluster_survey_text(const topology::FoundCluster& found, const Survey& survey) {
  return heading(found, survey) + inventory_text(survey) + levels_text(survey) +
         network_text(survey) + classes_text(survey) + anomalies_text(survey);
}

std::string cluster_survey_json(const topology::FoundCluster& found, const Survey& survey) {
  Json sources = Json::array();
  for (const topology::FoundCluster::Source& source : found.sources)
    sources.push_back({{"format", source.format}, {"file", source.file}, {"told", source.told}});
  Json inventory = Json::array();
  for (const topology::InventoryRow& row : survey.inventory)
    inventory.push_back({{"type", row.type},
                         {"gpu", row.gpu},
                         {"unavailable", row.unavailable},
                         {"nodes", row.nodes},
                         {"gpus", row.gpus},
                         {"free_gpus", row.free_gpus}});
  Json levels = Json::array();
  for (const topology::LevelSurvey& level : survey.levels)
    levels.push_back({{"name", level.name},
                      {"domains", level.domains},
                      {"nodes_min", level.nodes_min},
                      {"nodes_max", level.nodes_max},
                      {"unplaced_nodes", level.unplaced},
                      {"free_nodes_max", level.free_max},
                      {"freest", level.freest},
                      {"fragmentation", level.fragmentation},
                      {"slots", level.slots}});
  Json tiers = Json::array();
  for (const topology::Tier& tier : survey.tiers)
    tiers.push_back({{"lower", name_of(tier.lower)},
                     {"upper", name_of(tier.upper)},
                     {"cables", tier.cables},
                     {"rate_bit_s", tier.rate.byte() * 8},
                     {"oversubscription", tier.oversubscription}});
  Json classes = Json::array();
  for (const topology::SymmetryClass& one : survey.classes)
    classes.push_back({{"of", one.switches ? "switches" : "nodes"},
                       {"members", one.members},
                       {"example", one.example}});
  Json anomalies = Json::array();
  for (const topology::Anomaly& one : survey.anomalies)
    anomalies.push_back({{"kind", one.kind}, {"count", one.count}, {"what", one.what}});
  Json json{{"schema", "foreshard.survey.v1"},
            {"sources", sources},
            {"nodes", survey.nodes},
            {"gpus", survey.gpus},
            {"occupancy_known", survey.occupancy_known},
            {"free_nodes", survey.free_nodes},
            {"free_gpus", survey.free_gpus},
            {"inventory", inventory},
            {"slot_sizes_gpus", survey.slot_sizes},
            {"levels", levels},
            {"tiers", tiers}};
  if (survey.bisection) {
    json["bisection_bit_s"] = survey.bisection->byte() * 8;
    json["bisection_share"] = survey.bisection_share;
  }
  json["cables"] = survey.cables;
  json["cables_down"] = survey.cables_down;
  json["cables_degraded"] = survey.cables_degraded;
  json["classes"] = classes;
  json["anomalies"] = anomalies;
  return json.dump(1, ' ', false, Json::error_handler_t::replace) + "\n";
}

std::string cluster_difference_text(const std::vector<topology::Change>& changes) {
  if (changes.empty()) return "no difference\n";
  std::map<std::string, int> kinds;
  for (const topology::Change& change : changes) ++kinds[change.kind];
  std::string out;
  std::map<std::string, int> shown;
  for (const topology::Change& change : changes) {
    int& before = shown[change.kind];
    if (before == 0) out += fmt::format("{} ({})\n", change.kind, kinds[change.kind]);
    if (++before <= changes_shown)
      out += fmt::format("  {}\n", printable(change.what));
    else if (before == changes_shown + 1)
      out += fmt::format("  ... and {} more\n", kinds[change.kind] - changes_shown);
  }
  return out;
}

std::string cluster_difference_json(const std::vector<topology::Change>& changes) {
  Json list = Json::array();
  for (const topology::Change& change : changes)
    list.push_back({{"kind", change.kind}, {"what", change.what}, {"devices", change.devices}});
  return Json{{"schema", "foreshard.cluster_diff.v1"}, {"changes", list}}.dump(
             1, ' ', false, Json::error_handler_t::replace) +
         "\n";
}

}  // namespace viz
