#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>

#include "base/csv.hpp"
#include "topology/import/fabric_formats.hpp"
#include "topology/import/text_lines.hpp"
#include "topology/natural_order.hpp"
#include "topology/node_tally.hpp"

/// topo.csv of the Alibaba Lingjun trace of 2023: ip,DSW,PSW,ASW, a row for each host, with the
/// switches above it. Names of ASWs are only unique below their PSW, so the path is the switch.
namespace topology {

namespace {

constexpr std::array<std::string_view, 3> levels{"DSW", "PSW", "ASW"};  // coarse to fine

/// In how many places a name of the finest level occurs, told when it is more than one.
void note_reused_names(FoundCluster& found, const std::string& file) {
  std::unordered_map<std::string, std::set<std::string>> parents;
  for (const FoundNode& node : found.nodes)
    parents[node.domains[2]].insert(node.domains[0] + "\n" + node.domains[1]);
  const auto reused = std::count_if(parents.begin(), parents.end(),
                                    [](const auto& entry) { return entry.second.size() > 1; });
  if (reused > 0)
    found.notes.push_back({{file},
                           fmt::format("{} of {} names of ASW occur under several PSW; each place "
                                       "is taken as a switch of its own",
                                       reused, parents.size()),
                           "",
                           base::Severity::note});
}

}  // namespace

bool is_lingjun(std::string_view text) {
  if (text.starts_with("\xEF\xBB\xBF")) text.remove_prefix(3);
  const std::string_view header = trimmed(text.substr(0, text.find('\n')));
  return header.starts_with("ip,") && header.find("ASW") != std::string_view::npos &&
         header.find("PSW") != std::string_view::npos;
}

base::Result<FoundCluster> read_lingjun(std::span<const DumpFile> files, const ImportContext&) {
  const std::string& file = files.front().name;
  const auto table = base::parse_csv(files.front().text, file);
  if (!table) return tl::unexpected(table.error());
  base::Diagnostics problems = base::missing_columns(*table, {"ip", "DSW", "PSW", "ASW"});
  if (!problems.empty()) return tl::unexpected(std::move(problems));
  FoundCluster found;
  found.levels.assign(levels.begin(), levels.end());
  std::unordered_map<std::string, int> line_of;
  for (const base::Csv::Row& row : table->rows) {
    const base::CsvRow cells(*table, row, problems);
    FoundNode node;
    node.name = cells.text("ip");
    node.where = {file, row.line, 0};
    const auto [at, is_new] = line_of.emplace(node.name, row.line);
    if (node.name.empty())
      problems.push_back({node.where, "no 'ip'", ""});
    else if (!is_new)
      problems.push_back({node.where, fmt::format("host '{}' is told twice", node.name),
                          fmt::format("first in line {}", at->second)});
    for (const std::string_view level : levels) node.domains.emplace_back(cells.text(level));
    found.nodes.push_back(std::move(node));
  }
  if (found.nodes.empty()) problems.push_back({{file}, "no host", ""});
  if (!problems.empty()) return tl::unexpected(std::move(problems));
  std::sort(found.nodes.begin(), found.nodes.end(),
            [](const FoundNode& a, const FoundNode& b) { return natural_less(a.name, b.name); });
  note_reused_names(found, file);
  found.sources.push_back(
      {"lingjun", file,
       fmt::format("{}, 3 levels", count_of(static_cast<int>(found.nodes.size()), "node"))});
  return found;
}

}  // namespace topology
