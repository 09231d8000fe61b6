#include "topology/label_schemes.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>
#include <map>
#include <optional>
#include <set>

namespace topology {

namespace {

using Numbering = LabelScheme::Numbering;
using base::Node;

// Direction differs between writers: tier 0 of Topograph is next to the node, layer 1 of AWS is the
// farthest. Keys that name the physical host (GKE `-host`, OCI `rdma.host_id`) are no switch level.
constexpr std::array<LabelScheme, 14> schemes{{
    {.name = "topograph",
     .written_by = "Topograph 1.0 and later",
     .numbered = "fabric.topograph.run/tier-",
     .numbering = Numbering::fine_first},
    {.name = "topograph-leaf",
     .written_by = "Topograph from February 2026 to 0.5",
     .levels = {"network.topology.nvidia.com/core", "network.topology.nvidia.com/spine",
                "network.topology.nvidia.com/leaf"}},
    {.name = "topograph-block",
     .written_by = "Topograph before February 2026",
     .levels = {"network.topology.nvidia.com/datacenter", "network.topology.nvidia.com/spine",
                "network.topology.nvidia.com/block"}},
    {.name = "coreweave-ib",
     .written_by = "CoreWeave (InfiniBand)",
     .levels = {"ib.coreweave.cloud/fabric", "ib.coreweave.cloud/superpod",
                "ib.coreweave.cloud/leafgroup"}},
    {.name = "coreweave",
     .written_by = "CoreWeave",
     .levels = {"backend.coreweave.cloud/fabric", "backend.coreweave.cloud/leafgroup"}},
    {.name = "aws",
     .written_by = "AWS",
     .numbered = "topology.k8s.aws/network-node-layer-",
     .numbering = Numbering::coarse_first,
     .last_required = 3},
    {.name = "gke",
     .written_by = "GKE",
     .levels = {"cloud.google.com/gce-topology-block", "cloud.google.com/gce-topology-subblock"}},
    {.name = "gke-legacy",
     .written_by = "GKE (first A3 tooling)",
     .levels = {"topology.gke.io/cluster", "topology.gke.io/rack"}},
    {.name = "oci",
     .written_by = "OCI",
     .levels = {"oci.oraclecloud.com/rdma.hpc_island_id",
                "oci.oraclecloud.com/rdma.network_block_id",
                "oci.oraclecloud.com/rdma.local_block_id"}},
    {.name = "oci-host",
     .written_by = "OCI (older spelling)",
     .levels = {"oci.oraclecloud.com/host.network_block_id", "oci.oraclecloud.com/host.rack_id"}},
    {.name = "volcano",
     .written_by = "the Volcano convention",
     .levels = {"volcano.sh/hypercluster", "volcano.sh/hypernode"}},
    {.name = "gpustack",
     .written_by = "GPUStack",
     .levels = {"topology.gpustack.ai/zone", "topology.gpustack.ai/rack"},
     .weak_levels = 1},
    {.name = "kubernetes",
     .written_by = "Kubernetes",
     .levels = {"topology.kubernetes.io/region", "topology.kubernetes.io/zone",
                "topology.kubernetes.io/rack"},
     .weak_levels = 2},
    {.name = "kubernetes-beta",
     .written_by = "Kubernetes (old spelling)",
     .levels = {"failure-domain.beta.kubernetes.io/region",
                "failure-domain.beta.kubernetes.io/zone"},
     .weak_levels = 2},
}};

// NVLink domains beyond one node. A clique is what Fabric Manager really joined, so it comes first.
constexpr std::array<std::string_view, 5> accelerator_keys{
    "nvidia.com/gpu.clique", "accelerator.topograph.run/domain",
    "network.topology.nvidia.com/accelerator", "ds.coreweave.com/nvlink.domain",
    "topology.gpustack.ai/accelerator-domain"};

using LabelMaps = std::span<const Node* const>;

/// A scheme with the keys it has on these nodes, coarse to fine.
struct Levels {
  const LabelScheme* scheme = nullptr;  ///< nullptr for the user's own levels
  std::vector<std::string> keys;
  std::size_t required = 0;  ///< leading keys whose absence makes a node partial
};

/// The number after the prefix of a numbered scheme, if the key is one of its.
std::optional<int> number_of(std::string_view key, std::string_view prefix) {
  if (prefix.empty() || !key.starts_with(prefix)) return std::nullopt;
  const std::string_view digits = key.substr(prefix.size());
  if (digits.size() > 2 || (digits.size() > 1 && digits[0] == '0')) return std::nullopt;
  int number = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), number);
  if (error != std::errc() || end != digits.data() + digits.size() || number < 0)
    return std::nullopt;
  return number;
}

Levels numbered_levels(const LabelScheme& scheme, LabelMaps labels) {
  std::set<int> numbers;
  for (const Node* map : labels) {
    if (map == nullptr) continue;
    for (const Node::Entry& entry : map->entries) {
      const std::optional<int> number = number_of(entry.key, scheme.numbered);
      if (number && !label_value(map, entry.key).empty()) numbers.insert(*number);
    }
  }
  Levels levels{&scheme, {}, 0};
  for (const int number : numbers) {
    levels.keys.push_back(fmt::format("{}{}", scheme.numbered, number));
    if (number <= scheme.last_required) levels.required = levels.keys.size();
  }
  if (scheme.numbering == Numbering::fine_first)
    std::reverse(levels.keys.begin(), levels.keys.end());
  return levels;
}

/// Keeps the keys that at least one node carries.
Levels listed_levels(const LabelScheme* scheme, std::span<const std::string> keys,
                     LabelMaps labels) {
  Levels levels{scheme, {}, 0};
  for (const std::string& key : keys)
    if (std::any_of(labels.begin(), labels.end(),
                    [&](const Node* map) { return !label_value(map, key).empty(); }))
      levels.keys.push_back(key);
  levels.required = levels.keys.size();
  return levels;
}

Levels levels_of(const LabelScheme& scheme, LabelMaps labels) {
  if (scheme.numbering != Numbering::none) return numbered_levels(scheme, labels);
  std::vector<std::string> keys;
  for (const std::string_view key : scheme.levels)
    if (!key.empty()) keys.emplace_back(key);
  return listed_levels(&scheme, keys, labels);
}

/// The path of one node, coarse to fine. Optional fine levels that it does not tell are left out.
std::vector<std::string> path_of(const Levels& levels, const Node* labels) {
  std::vector<std::string> path;
  bool told = false;
  for (const std::string& key : levels.keys) {
    path.emplace_back(label_value(labels, key));
    told = told || !path.back().empty();
  }
  while (path.size() > levels.required && path.back().empty()) path.pop_back();
  return told ? path : std::vector<std::string>();
}

SchemeCoverage coverage_of(const Levels& levels, LabelMaps labels) {
  SchemeCoverage coverage;
  coverage.name = levels.scheme == nullptr ? "own" : levels.scheme->name;
  std::vector<std::set<std::vector<std::string>>> domains(levels.keys.size());
  for (const std::string& key : levels.keys) coverage.levels.push_back({key, 0, 0});
  for (const Node* map : labels) {
    std::size_t told = 0;
    std::size_t required_told = 0;
    std::vector<std::string> path;
    for (std::size_t i = 0; i < levels.keys.size(); ++i) {
      const std::string_view value = label_value(map, levels.keys[i]);
      path.emplace_back(value);
      if (value.empty()) continue;
      ++told;
      if (i < levels.required) ++required_told;
      ++coverage.levels[i].nodes;
      domains[i].insert(path);
    }
    ++(told == 0                          ? coverage.absent
       : required_told == levels.required ? coverage.complete
                                          : coverage.partial);
  }
  for (std::size_t i = 0; i < domains.size(); ++i)
    coverage.levels[i].domains = static_cast<int>(domains[i].size());
  return coverage;
}

struct Candidate {
  Levels levels;
  SchemeCoverage coverage;
  bool tells_switches = false;  ///< beyond region and zone
};

/// Two generations of one writer share keys: a scheme all of whose keys belong to another
/// candidate too is not a finding of its own.
bool inside_another(const Candidate& candidate, const std::vector<Candidate>& all) {
  return std::any_of(all.begin(), all.end(), [&](const Candidate& other) {
    if (&other == &candidate || other.levels.keys.size() < candidate.levels.keys.size())
      return false;
    const bool inside = std::all_of(
        candidate.levels.keys.begin(), candidate.levels.keys.end(), [&](const std::string& key) {
          return std::find(other.levels.keys.begin(), other.levels.keys.end(), key) !=
                 other.levels.keys.end();
        });
    return inside &&
           (other.levels.keys.size() > candidate.levels.keys.size() || &other < &candidate);
  });
}

std::vector<Candidate> find_candidates(LabelMaps labels) {
  std::vector<Candidate> all;
  for (const LabelScheme& scheme : schemes) {
    Levels levels = levels_of(scheme, labels);
    if (levels.keys.empty()) continue;
    const auto weak_end = scheme.levels.begin() + scheme.weak_levels;
    const bool tells = std::any_of(levels.keys.begin(), levels.keys.end(), [&](const auto& key) {
      return std::find(scheme.levels.begin(), weak_end, key) == weak_end;
    });
    SchemeCoverage coverage = coverage_of(levels, labels);
    all.push_back({std::move(levels), std::move(coverage), tells});
  }
  std::vector<Candidate> distinct;
  for (const Candidate& candidate : all)
    if (!inside_another(candidate, all)) distinct.push_back(candidate);
  return distinct;
}

/// What makes a scheme better, most important first.
std::array<int, 4> merit(const Candidate& candidate) {
  const SchemeCoverage& coverage = candidate.coverage;
  return {candidate.tells_switches ? 1 : 0, coverage.complete, coverage.complete + coverage.partial,
          static_cast<int>(coverage.levels.size())};
}

std::string why_first(const Candidate& best, const Candidate& second) {
  constexpr std::array<std::string_view, 4> reasons{
      "the other says nothing about switches", "most nodes have all of its levels",
      "most nodes have some of its levels", "it has the most levels"};
  const std::array<int, 4> a = merit(best);
  const std::array<int, 4> b = merit(second);
  for (std::size_t i = 0; i < reasons.size(); ++i)
    if (a[i] != b[i]) return std::string(reasons[i]);
  return "equally complete, and it is the more specific one";
}

/// All nodes take their accelerator domain from one key, the one most of them carry: the values
/// of two keys for one rack need not be equal.
void read_accelerators(LabelMaps labels, DomainTree& tree) {
  tree.accelerator_domains.resize(labels.size());
  std::ptrdiff_t most = 0;
  for (const std::string_view key : accelerator_keys) {
    const auto nodes = std::count_if(labels.begin(), labels.end(), [&](const Node* map) {
      return !label_value(map, key).empty();
    });
    if (nodes <= most) continue;
    most = nodes;
    tree.accelerator_key = key;
  }
  if (most == 0) return;
  for (std::size_t i = 0; i < labels.size(); ++i)
    tree.accelerator_domains[i] = label_value(labels[i], tree.accelerator_key);
}

void use(const Candidate& candidate, LabelMaps labels, DomainTree& tree) {
  tree.coverage = candidate.coverage;
  for (std::size_t i = 0; i < labels.size(); ++i)
    tree.paths[i] = path_of(candidate.levels, labels[i]);
  // One zone for all nodes is no switch; several are at least a boundary.
  tree.flat = !candidate.tells_switches && candidate.coverage.levels.back().domains <= 1 &&
              candidate.coverage.complete == static_cast<int>(labels.size());
}

}  // namespace

std::span<const LabelScheme> label_schemes() { return schemes; }

std::vector<std::string_view> label_scheme_names() {
  std::vector<std::string_view> names;
  for (const LabelScheme& scheme : schemes) names.push_back(scheme.name);
  return names;
}

std::string_view label_value(const Node* labels, std::string_view key) {
  const Node* value = labels == nullptr ? nullptr : labels->find(key);
  if (value == nullptr || value->kind != Node::Kind::scalar || value->text == "unknown") return {};
  return value->text;
}

DomainTree read_domains(LabelMaps labels, const LabelChoice& choice) {
  DomainTree tree;
  tree.paths.resize(labels.size());
  read_accelerators(labels, tree);
  std::vector<Candidate> candidates = find_candidates(labels);
  for (const Candidate& candidate : candidates) tree.seen.push_back(candidate.coverage);
  if (!choice.levels.empty()) {
    const Levels levels = listed_levels(nullptr, choice.levels, labels);
    if (!levels.keys.empty()) use({levels, coverage_of(levels, labels), true}, labels, tree);
    tree.reason = "these levels were asked for";
    return tree;
  }
  if (!choice.scheme.empty()) {
    const auto scheme = std::find_if(schemes.begin(), schemes.end(),
                                     [&](const LabelScheme& s) { return s.name == choice.scheme; });
    const Levels levels = levels_of(*scheme, labels);
    if (!levels.keys.empty()) use({levels, coverage_of(levels, labels), true}, labels, tree);
    tree.reason = "it was asked for";
    return tree;
  }
  if (candidates.empty()) return tree;
  std::stable_sort(candidates.begin(), candidates.end(),
                   [](const Candidate& a, const Candidate& b) { return merit(a) > merit(b); });
  use(candidates[0], labels, tree);
  if (candidates.size() > 1) tree.reason = why_first(candidates[0], candidates[1]);
  return tree;
}

std::vector<std::pair<std::string, int>> unknown_topology_keys(LabelMaps labels) {
  constexpr std::array<std::string_view, 8> hints{"topology", "/rack",   "/leaf",     "/spine",
                                                  "/block",   "/switch", "/superpod", "/tor"};
  std::map<std::string, int> counts;
  for (const Node* map : labels) {
    if (map == nullptr) continue;
    for (const Node::Entry& entry : map->entries)
      if (std::any_of(hints.begin(), hints.end(), [&](std::string_view hint) {
            return entry.key.find(hint) != std::string::npos;
          }))
        ++counts[entry.key];
  }
  for (const LabelScheme& scheme : schemes)
    std::erase_if(counts, [&](const auto& count) {
      return number_of(count.first, scheme.numbered).has_value() ||
             std::find(scheme.levels.begin(), scheme.levels.end(), count.first) !=
                 scheme.levels.end();
    });
  for (const std::string_view key : accelerator_keys) counts.erase(std::string(key));
  return {counts.begin(), counts.end()};
}

}  // namespace topology
