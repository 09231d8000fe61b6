#include <array>
#include <set>
#include <string>

#include "tests/fuzz/fuzz.hpp"
#include "tests/fuzz/registry.hpp"
#include "topology/import/kubernetes.hpp"

namespace {

using topology::CableEnd;
using topology::FoundCluster;

void check_node(const topology::FoundNode& node, std::size_t levels) {
  CHECK_INVARIANT(!node.name.empty());
  CHECK_INVARIANT(node.gpus >= -1 && node.usable_gpus >= 0);
  CHECK_INVARIANT(node.gpus < 0 || node.usable_gpus <= node.gpus);
  CHECK_INVARIANT(node.free_gpus >= -1 && node.free_gpus <= node.usable_gpus);
  CHECK_INVARIANT(node.domains.size() <= levels);
  for (const topology::Occupant& occupant : node.occupants)
    CHECK_INVARIANT(!occupant.job.empty() && occupant.gpus > 0 && occupant.index >= -1);
  std::set<std::string_view> nics;
  for (const topology::FoundNic& nic : node.nics) {
    CHECK_INVARIANT(nics.insert(nic.name).second);
    CHECK_INVARIANT(nic.rate.byte() >= 0);
  }
}

void check_cluster(const FoundCluster& cluster) {
  fuzz::check(cluster.notes);
  CHECK_INVARIANT(!base::has_errors(cluster.notes));
  CHECK_INVARIANT(!cluster.nodes.empty());
  for (const topology::FoundNode& node : cluster.nodes) check_node(node, cluster.levels.size());
  for (const topology::FoundCable& cable : cluster.cables) {
    CHECK_INVARIANT(cable.a.at == CableEnd::At::node && cable.a.index < cluster.nodes.size());
    CHECK_INVARIANT(cable.b.at == CableEnd::At::fabric_switch);
    CHECK_INVARIANT(cable.b.index < cluster.switches.size());
  }
}

void import(std::span<const topology::DumpFile> files, const topology::ImportOptions& options) {
  const auto registry = fuzz::shipped_registry();
  const auto cluster = topology::read_kubernetes_cluster(files, {*registry, options});
  if (!cluster) return fuzz::check_refusal(cluster.error());
  check_cluster(*cluster);
}

}  // namespace

void fuzz_one(std::string_view text) {
  const topology::DumpFile whole{"f", std::string(text)};
  import({&whole, 1}, {});
  import({&whole, 1}, {.gpu = "H100", .scheme = "aws"});
  // Two files, cut where a document may end.
  const std::size_t cut = text.find("\n---\n");
  if (cut == std::string_view::npos) return;
  const std::array<topology::DumpFile, 2> parts{
      {{"f", std::string(text.substr(0, cut + 1))}, {"g", std::string(text.substr(cut + 1))}}};
  import(parts, {.levels = { "example.com/pod" }});
}
