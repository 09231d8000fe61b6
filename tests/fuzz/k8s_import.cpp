#include "topology/k8s_import.hpp"

#include "tests/fuzz/fuzz.hpp"
#include "tests/fuzz/registry.hpp"
#include "topology/cluster.hpp"

namespace {

void import(std::string_view text, const topology::ImportOptions& options) {
  const auto registry = fuzz::shipped_registry();
  const auto import = topology::import_kubernetes(text, "f.json", *registry, options);
  if (!import) return fuzz::check_refusal(import.error());
  fuzz::check(import->notes);
  CHECK_INVARIANT(!import->spec.nodes.empty());
  for (const topology::NodeSpec& node : import->spec.nodes) {
    CHECK_INVARIANT(node.type != nullptr && !node.name.empty());
    CHECK_INVARIANT(node.usable_gpus >= 1 && node.usable_gpus <= node.type->gpus);
  }
  // What the importer lets through, the builder can build.
  const auto cluster = topology::build_cluster(import->spec, registry);
  if (!cluster) fuzz::check_refusal(cluster.error());
  CHECK_INVARIANT(cluster.has_value());
}

}  // namespace

void fuzz_one(std::string_view text) {
  import(text, {});
  import(text, {.selector = "pool=x,!old", .levels = { "example.com/row", "example.com/rack" }});
  import(text, {.gpu = "H100", .scheme = "aws", .unavailable = true});
}
