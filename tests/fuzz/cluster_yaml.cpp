#include "base/map_reader.hpp"
#include "tests/fuzz/fuzz.hpp"
#include "tests/fuzz/registry.hpp"
#include "topology/cluster.hpp"
#include "topology/cluster_reader.hpp"

void fuzz_one(std::string_view text) {
  const auto registry = fuzz::shipped_registry();
  const auto document = base::parse_yaml(text, "f.yaml");
  if (!document) return fuzz::check_refusal(document.error());
  base::Diagnostics problems;
  base::MapReader reader(*document, document->root, "", problems);
  const topology::ClusterSpec spec = topology::read_cluster(reader, *registry);
  fuzz::check(problems);
  // Large clusters are right but slow to build.
  if (base::has_errors(problems) || spec.nodes.size() > 64) return;
  if (const auto cluster = topology::build_cluster(spec, registry); !cluster)
    fuzz::check_refusal(cluster.error());
}
