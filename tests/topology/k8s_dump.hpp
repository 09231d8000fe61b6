#pragma once

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <map>
#include <string>
#include <vector>

#include "tests/topology/support.hpp"
#include "topology/k8s_import.hpp"

namespace topology {

/// A node as the tests need it; `json` writes it as the API server would, on one line.
struct FakeNode {
  std::string name;
  std::map<std::string, std::string> labels;
  std::string allocatable = R"("nvidia.com/gpu":"8")";
  std::string spec{};
  std::string ready = "True";

  std::string json() const {
    std::vector<std::string> parts;
    for (const auto& [key, value] : labels)
      parts.push_back(fmt::format(R"("{}":"{}")", key, value));
    const std::string status = fmt::format(
        R"({{"allocatable":{{"cpu":"96",{}}},"conditions":[{{"type":"Ready","status":"{}"}}]}})",
        allocatable, ready);
    return fmt::format(R"({{"kind":"Node","metadata":{{"labels":{{{}}},"name":"{}"}},)"
                       R"("spec":{{{}}},"status":{}}})",
                       fmt::join(parts, ","), name, spec, status);
  }
};

/// Node i stands in line i + 2 and its name, which the messages point at, somewhere in it.
inline std::string dump_of(const std::vector<FakeNode>& nodes) {
  std::vector<std::string> lines;
  for (const FakeNode& node : nodes) lines.push_back(node.json());
  return fmt::format("{{\"kind\":\"List\",\"items\":[\n{}\n]}}", fmt::join(lines, ",\n"));
}

/// Labels of a DGX H100, and more.
inline std::map<std::string, std::string> dgx(std::map<std::string, std::string> more = {}) {
  more.insert({{"nvidia.com/gpu.machine", "DGXH100"},
               {"nvidia.com/gpu.product", "NVIDIA-H100-80GB-HBM3"},
               {"nvidia.com/gpu.count", "8"},
               {"nvidia.com/gpu.memory", "81559"}});
  return more;
}

inline base::Result<KubernetesImport> import_nodes(const std::vector<FakeNode>& nodes,
                                                   const ImportOptions& options = {}) {
  return import_kubernetes(dump_of(nodes), "n.json", *shipped_registry(), options);
}

/// Messages without their places, one a line.
inline std::string words_of(const base::Diagnostics& diagnostics) {
  std::string text;
  for (const base::Diagnostic& one : diagnostics) {
    text += one.severity == base::Severity::warning ? "warning: " : "";
    text += one.message + (one.hint.empty() ? "" : " (" + one.hint + ")") + "\n";
  }
  return text;
}

}  // namespace topology
