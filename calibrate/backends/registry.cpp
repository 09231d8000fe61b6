#include "calibrate/backends/registry.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "calibrate/backends/nccl.hpp"
#include "calibrate/backends/plugin.hpp"
#include "topology/nccl_graph_xml.hpp"

namespace calibrate {

namespace {

using backends::Builtin;
using backends::builtins;

std::vector<std::string_view> names() {
  std::vector<std::string_view> all;
  for (const Builtin& row : builtins) all.push_back(row.name);
  return all;
}

/// Words that a backend would leave without effect.
base::Diagnostics idle_words(const BackendOptions& options, const Builtin& row) {
  base::Diagnostics problems;
  const auto check = [&](bool used, std::string_view key, const BackendOptions::Word& word) {
    if (!used && !word.text.empty())
      problems.push_back(
          {word.where,
           fmt::format("'{}' means nothing to the communication backend {}", key, row.name),
           "remove it, or choose another 'backend'"});
  };
  check(row.tuned, "version", options.version);
  check(row.tuned, "algorithms", options.algorithms);
  check(row.tuned, "protocols", options.protocols);
  check(row.tuned, "graph", options.graph);
  check(row.table, "table", options.table);
  if (row.table && options.table.text.empty())
    problems.push_back({options.name.where,
                        fmt::format("the communication backend {} needs a 'table'", row.name),
                        "name a CSV file of measurements"});
  return problems;
}

base::Diagnostic unknown(const BackendOptions& options) {
  const std::string variable = backends::plugin_variable(options.name.text);
  std::string hint = base::suggest(options.name.text, names());
  if (!variable.empty() && !hint.starts_with("did you mean"))
    hint += fmt::format("; of a plug-in, {} names the library", variable);
  return {options.name.where, fmt::format("unknown communication backend '{}'", options.name.text),
          std::move(hint)};
}

/// A mistake in NCCL's own words, told where the user wrote them.
base::Diagnostic placed(base::Diagnostic problem, const BackendOptions& options) {
  const bool algorithms = problem.where.file == "NCCL_ALGO";
  const bool protocols = problem.where.file == "NCCL_PROTO";
  const BackendOptions::Word& word = algorithms  ? options.algorithms
                                     : protocols ? options.protocols
                                                 : options.version;
  const int inside = std::max(0, problem.where.column - 1);
  problem.where = word.where;
  if (problem.where.column > 0) problem.where.column += inside;
  return problem;
}

}  // namespace

backends::Made backends::make_nccl(const BackendOptions& options) {
  NcclOptions nccl;
  if (!options.version.text.empty()) nccl.version = options.version.text;
  nccl.algorithms = options.algorithms.text;
  nccl.protocols = options.protocols.text;
  nccl.hardware_folder = options.hardware_folder;
  base::Diagnostics problems;
  if (!options.graph.text.empty()) {
    auto graphs = topology::read_nccl_graph_xml(options.graph_text, options.graph.text);
    if (graphs)
      nccl.graphs = *graphs;
    else
      problems = std::move(graphs.error());
  }
  auto made = make_nccl_backend(nccl);
  if (made && problems.empty()) return std::move(*made);
  if (made) return tl::unexpected(std::move(problems));
  for (const base::Diagnostic& problem : made.error()) problems.push_back(placed(problem, options));
  return tl::unexpected(std::move(problems));
}

base::Result<std::shared_ptr<const CollectiveBackend>> make_backend(const BackendOptions& options) {
  const auto row = std::find_if(builtins.begin(), builtins.end(), [&](const Builtin& candidate) {
    return candidate.name == options.name.text;
  });
  const bool built_in = row != builtins.end();
  const std::string library = built_in ? "" : backends::plugin_library(options.name.text);
  if (!built_in && library.empty()) return tl::unexpected(base::Diagnostics{unknown(options)});
  const Builtin wanted = built_in ? *row : Builtin{options.name.text, nullptr};
  if (base::Diagnostics problems = idle_words(options, wanted); !problems.empty())
    return tl::unexpected(std::move(problems));
  backends::Made made = built_in
                            ? wanted.make(options)
                            : backends::load_plugin(options.name.text, library, options.name.where);
  if (!made) return tl::unexpected(std::move(made.error()));
  return std::shared_ptr<const CollectiveBackend>(std::move(*made));
}

}  // namespace calibrate
