#include "tests/topology/import/kubernetes_support.hpp"

namespace topology {
namespace {

/// The nodes of the fixture, and objects behind them.
base::Result<FoundCluster> with(const std::string& objects, const ImportOptions& options = {}) {
  return read_text(kubernetes_dump("nodes.yaml") + "---\n" + objects, options);
}

std::string notes_with(const std::string& objects) {
  const auto cluster = with(objects);
  return cluster ? words_of(cluster->notes) : text_of(cluster.error());
}

std::string kueue(const std::string& name, const std::string& version,
                  const std::vector<std::string>& keys) {
  std::string text = fmt::format(
      "---\napiVersion: kueue.x-k8s.io/{}\nkind: Topology\nmetadata: {{name: {}}}\nspec:\n  "
      "levels:\n",
      version, name);
  for (const std::string& key : keys) text += fmt::format("  - nodeLabel: {}\n", key);
  return text;
}

using Strings = std::vector<std::string>;

TEST_CASE("levels are those of a Kueue Topology, whatever its version") {
  const std::string version = GENERATE("v1alpha1", "v1beta1", "v1beta2");
  const auto cluster = with(
      kueue("default", version, {"example.com/pod", "example.com/rack", "kubernetes.io/hostname"}));
  REQUIRE(cluster);
  CHECK(cluster->levels == Strings{"example.com/pod", "example.com/rack"});
  CHECK(cluster->nodes[3].domains == Strings{"pod-1", "rack-3"});
  REQUIRE(cluster->declared.size() == 1);
  CHECK(cluster->declared[0].by == "Kueue Topology default");
  CHECK(words_of(cluster->notes)
            .find("levels as Kueue Topology default declares them (4 complete, 0 partial, 0 "
                  "without)\n") != std::string::npos);
}

TEST_CASE("what the user asks for wins over what is declared") {
  const auto cluster = with(kueue("default", "v1beta1", {"example.com/pod", "example.com/rack"}),
                            {.levels = {"example.com/pod"}});
  REQUIRE(cluster);
  CHECK(cluster->levels == Strings{"example.com/pod"});
  CHECK(cluster->declared.size() == 1);
  CHECK(words_of(cluster->notes)
            .find("1 declaration of levels not used, since others were asked for\n") !=
        std::string::npos);
}

TEST_CASE("of several declarations the one that knows most nodes counts, then the first by name") {
  const std::string absent = kueue("a-none", "v1beta1", {"example.com/nowhere"});
  const std::string b = kueue("b", "v1beta1", {"example.com/pod"});
  const std::string c = kueue("c", "v1beta1", {"example.com/rack"});
  const auto cluster = with(c + b + absent);
  REQUIRE(cluster);
  CHECK(cluster->levels == Strings{"example.com/pod"});
  const std::string notes = words_of(cluster->notes);
  CHECK(notes.find("warning: Kueue Topology a-none declares levels that no GPU node has a label "
                   "of\n") != notes.npos);
  CHECK(notes.find("Kueue Topology c is not used (4 complete, 0 partial, 0 without): equally "
                   "complete, and later by name\n") != notes.npos);
}

TEST_CASE("nodes that lack a declared level stay and are counted") {
  const std::string node = R"(---
apiVersion: v1
kind: Node
metadata:
  name: gpu-9
  labels:
    node.kubernetes.io/instance-type: p5.48xlarge
    example.com/pod: pod-1
    example.com/rack: ""
status: {allocatable: {nvidia.com/gpu: "8"}}
)";
  const auto cluster = with(node + kueue("t", "v1beta1", {"example.com/pod", "example.com/rack"}));
  REQUIRE(cluster);
  REQUIRE(cluster->nodes.size() == 5);
  CHECK(cluster->nodes[4].domains == Strings{"pod-1", ""});
  const std::string notes = words_of(cluster->notes);
  CHECK(notes.find("(4 complete, 1 partial, 0 without)") != notes.npos);
  CHECK(notes.find("warning: 1 node without the label example.com/rack: gpu-9") != notes.npos);
}

TEST_CASE("KAI and Grove declare levels as well") {
  const auto cluster = with(R"(
apiVersion: kai.scheduler/v1alpha1
kind: Topology
metadata: {name: default}
spec: {levels: [{nodeLabel: example.com/rack}]}
---
apiVersion: grove.io/v1alpha1
kind: ClusterTopologyBinding
metadata: {name: default}
spec:
  levels:
  - {domain: zone, key: topology.kubernetes.io/zone}
  - {domain: rack, key: example.com/pod}
  - {domain: host, key: kubernetes.io/hostname}
)");
  REQUIRE(cluster);
  REQUIRE(cluster->declared.size() == 2);
  CHECK(cluster->declared[0].by == "Grove ClusterTopologyBinding default");
  CHECK(cluster->levels == Strings{"topology.kubernetes.io/zone", "example.com/pod"});
  CHECK(cluster->declared[1].keys == Strings{"example.com/rack"});
}

TEST_CASE("Koordinator's layers follow their parents, not their order in the file") {
  const auto cluster = with(R"(
apiVersion: scheduling.koordinator.sh/v1alpha1
kind: ClusterNetworkTopology
metadata: {name: default}
spec:
  networkTopologySpec:
  - {topologyLayer: NodeTopologyLayer, parentTopologyLayer: BlockLayer}
  - topologyLayer: BlockLayer
    parentTopologyLayer: SpineLayer
    labelKey: [example.com/none, example.com/rack]
  - {topologyLayer: SpineLayer, labelKey: [example.com/pod]}
)");
  REQUIRE(cluster);
  CHECK(cluster->levels == Strings{"example.com/pod", "example.com/rack"});
  const std::string notes = notes_with(R"(
apiVersion: scheduling.koordinator.sh/v1alpha1
kind: ClusterNetworkTopology
metadata: {name: odd}
spec:
  networkTopologySpec:
  - {topologyLayer: a, parentTopologyLayer: b, labelKey: [example.com/pod]}
  - {topologyLayer: b, parentTopologyLayer: a, labelKey: [example.com/rack]}
  - {topologyLayer: c, labelKey: [example.com/pod]}
  - {topologyLayer: d, labelKey: [example.com/rack]}
)");
  CHECK(notes.find("the layers 'c' and 'd' of Koordinator ClusterNetworkTopology odd have one "
                   "parent; 'd' is not used") != notes.npos);
  CHECK(notes.find("the layer 'a' of Koordinator ClusterNetworkTopology odd has no way to the "
                   "root; it is not used") != notes.npos);
}

TEST_CASE("declarations that are no such are mistakes at their place") {
  CHECK(notes_with("apiVersion: kueue.x-k8s.io/v1beta1\nkind: Topology\nmetadata: {name: t}\n"
                   "spec: {levels: [{label: x}]}\n")
            .find("error: this level of Kueue Topology t has no 'nodeLabel'\n") !=
        std::string::npos);
  CHECK(notes_with("apiVersion: kueue.x-k8s.io/v1beta1\nkind: Topology\nmetadata: {name: t}\n")
            .find("error: Kueue Topology t has no levels in spec.levels\n") != std::string::npos);
  const std::string notes = notes_with(
      kueue("t", "v1beta1", {"example.com/pod", "example.com/pod", "kubernetes.io/hostname", "x"}));
  CHECK(notes.find("warning: Kueue Topology t has levels below kubernetes.io/hostname; they are "
                   "not used\n") != notes.npos);
  CHECK(notes.find("warning: Kueue Topology t names the level example.com/pod twice\n") !=
        notes.npos);
}

TEST_CASE("HyperNodes make a tree by name and by regular expression") {
  const auto cluster = read_fixtures({"nodes.yaml", "hypernodes.yaml"});
  INFO((cluster ? text_of(cluster->notes) : text_of(cluster.error())));
  REQUIRE(cluster);
  CHECK(cluster->levels == Strings{"hypernode tier 2", "hypernode tier 1"});
  CHECK(cluster->nodes[0].domains == Strings{"spine-hn", "leaf-hn-0"});
  CHECK(cluster->nodes[3].domains == Strings{"spine-hn", "leaf-hn-1"});
  const std::string notes = words_of(cluster->notes);
  CHECK(notes.find("levels as Volcano HyperNodes declares them (4 complete") != notes.npos);
  CHECK(notes.find("members of") == notes.npos);  // the node without GPUs is known
}

std::string hyper(const std::string& name, int tier, const std::string& members) {
  return fmt::format(
      "---\napiVersion: topology.volcano.sh/v1alpha1\nkind: HyperNode\nmetadata: {{name: {}}}\n"
      "spec:\n  tier: {}\n  members:\n{}",
      name, tier, members);
}

std::string member(const std::string& type, const std::string& selector) {
  return fmt::format("  - {{type: {}, selector: {{{}}}}}\n", type, selector);
}

TEST_CASE("HyperNodes choose by labels, and by the names alone of the first design") {
  const auto cluster =
      with(hyper("even", 1, member("Node", "labelMatch: {matchLabels: {example.com/pod: pod-0}}")) +
           hyper("odd", 1,
                 member("Node",
                        "labelMatch: {matchExpressions: [{key: example.com/pod, operator: In, "
                        "values: [pod-1, pod-2]}, {key: old, operator: DoesNotExist}]}")) +
           hyper("top", 2, "  - {name: even}\n  - {name: odd}\n"));
  INFO((cluster ? text_of(cluster->notes) : text_of(cluster.error())));
  REQUIRE(cluster);
  CHECK(cluster->nodes[1].domains == Strings{"top", "even"});
  CHECK(cluster->nodes[2].domains == Strings{"top", "odd"});
}

TEST_CASE("what HyperNodes contradict is told") {
  const std::string all = member("Node", "regexMatch: {pattern: gpu}");
  const std::string notes = notes_with(
      hyper("a", 1, all) + hyper("b", 1, all + member("HyperNode", "exactMatch: {name: c}")) +
      hyper("c", 2, member("HyperNode", "exactMatch: {name: b}")) +
      hyper("d", 2,
            member("HyperNode", "exactMatch: {name: b}") +
                member("HyperNode", "exactMatch: {name: nobody}")));
  CHECK(notes.find("warning: 4 nodes in several HyperNodes of tier 1; the first by name counts: "
                   "gpu-0, gpu-1, gpu-2, ...\n") != notes.npos);
  CHECK(notes.find("warning: HyperNode 'b' of tier 1 has the member 'c' of tier 2; it does not "
                   "count") != notes.npos);
  CHECK(notes.find("warning: HyperNode 'b' is a member of 'c' and of 'd'; the first counts") !=
        notes.npos);
  CHECK(notes.find("warning: 1 member of HyperNodes not in the dump: 'nobody'\n") != notes.npos);
}

TEST_CASE("HyperNodes that are no such are mistakes at their place") {
  const auto first = [](const std::string& members) {
    const std::string text = notes_with(hyper("h", 1, members));
    return text.substr(text.find("error: "));
  };
  CHECK(first(member("Node", "regexMatch: {pattern: '(?=x)'}"))
            .starts_with("error: '(?=x)' is no regular expression: invalid perl operator: (?= "
                         "(the syntax is that of Go)"));
  CHECK(first(member("Node", "exactMatch: {name: a}, regexMatch: {pattern: b}"))
            .starts_with("error: this member of HyperNode 'h' has not exactly one selector"));
  CHECK(first(member("Rack", "exactMatch: {name: a}"))
            .starts_with("error: this member of HyperNode 'h' is of no known type"));
  CHECK(notes_with("apiVersion: topology.volcano.sh/v1alpha1\nkind: HyperNode\nmetadata: {name: "
                   "h}\nspec: {}\n")
            .find("error: HyperNode 'h' has no tier (spec.tier is a whole number, lower is "
                  "closer)") != std::string::npos);
}

TEST_CASE("expressions match anywhere in a name, as Go does, and only where they say") {
  struct Row {
    std::string pattern;
    std::string nodes;  ///< that match, of gpu-0 to gpu-3
  };
  const Row row = GENERATE(values<Row>({
      {"pu-1", "1"},
      {"^gpu-[02]$", "02"},
      {"^pu", ""},
      {"^gpu-0|u-3", "03"},
      {"^*pu-2", "2"},
      {"^(gpu-1|gpu-2)$", "12"},
      {"(?i)^GPU-3", "3"},
      {"^", "0123"},
  }));
  CAPTURE(row.pattern);
  const auto cluster = with(
      hyper("h", 1, member("Node", fmt::format("regexMatch: {{pattern: '{}'}}", row.pattern))));
  REQUIRE(cluster);
  std::string nodes;
  for (const FoundNode& node : cluster->nodes)
    if (!node.domains.empty()) nodes += node.name.back();
  CHECK(nodes == row.nodes);
}

TEST_CASE("a pattern that backtracking would never finish is read in no time") {
  const std::string name(60, 'a');
  const auto cluster =
      with(fmt::format("apiVersion: v1\nkind: Node\nmetadata: {{name: {}}}\n", name) +
           hyper("h", 1, member("Node", "regexMatch: {pattern: '^(a+)+$'}")));
  CHECK(cluster);
}

}  // namespace
}  // namespace topology
