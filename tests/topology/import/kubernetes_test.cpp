#include "topology/import/kubernetes.hpp"

#include <random>

#include "tests/topology/import/kubernetes_support.hpp"
#include "topology/k8s_objects.hpp"

namespace topology {
namespace {

/// JSON of what a YAML document says, all on one line.
std::string json_of(const base::Node& node) {
  using Kind = base::Node::Kind;
  std::vector<std::string> parts;
  switch (node.kind) {
    case Kind::null: return "null";
    case Kind::scalar:
      if (!node.quoted && (node.text == "true" || node.text == "false" ||
                           node.text.find_first_not_of("0123456789") == std::string::npos))
        return node.text;
      return fmt::format("\"{}\"", node.text);
    case Kind::sequence:
      for (const base::Node& item : node.items) parts.push_back(json_of(item));
      return fmt::format("[{}]", fmt::join(parts, ","));
    case Kind::map:
      for (const base::Node::Entry& entry : node.entries)
        parts.push_back(fmt::format("\"{}\":{}", entry.key, json_of(entry.value)));
      return fmt::format("{{{}}}", fmt::join(parts, ","));
  }
  return {};
}

std::string json_of_documents(const std::string& yaml) {
  const auto documents = base::parse_yaml_texts(yaml, "y");
  REQUIRE(documents);
  std::string text;
  for (const base::Document& document : *documents) text += json_of(document.root) + "\n";
  return text;
}

TEST_CASE("nodes and pods of Kubernetes become a found cluster") {
  const auto cluster = read_fixtures({"nodes.yaml", "pods.yaml"}, {.levels = {"example.com/pod"}});
  INFO((cluster ? text_of(cluster->notes) : text_of(cluster.error())));
  REQUIRE(cluster);
  REQUIRE(cluster->nodes.size() == 4);
  const FoundNode& first = cluster->nodes[0];
  CHECK(first.name == "gpu-0");
  CHECK(first.aliases ==
        std::vector<std::string>{"ip-10-0-3-10", "aws:///us-east-1d/i-0c1f0aa9b27de4510",
                                 "i-0c1f0aa9b27de4510", "10.0.3.10", "ip-10-0-3-10.ec2.internal"});
  CHECK(first.type == "p5.48xlarge");
  CHECK(first.gpu == "H100-SXM5-80GB");
  CHECK(cluster->levels == std::vector<std::string>{"example.com/pod"});
  CHECK(first.domains == std::vector<std::string>{"pod-0"});
  // 8 allocatable, 4 of the master, 1 of the notebook; done-0 has ended, the exporter has none.
  CHECK(first.free_gpus == 3);
  CHECK(first.usable_gpus == 8);
  REQUIRE(first.occupants.size() == 2);
  CHECK(first.occupants[0].job == "team-a/llama");
  CHECK(first.occupants[0].pod == "team-a/llama-master-0");
  CHECK(first.occupants[0].index == 0);
  CHECK(first.occupants[1].job == "team-b/notebook");
  // max(6 of the init container, 4 + 1 of the containers) = 6; worker 0 is behind one master.
  const FoundNode& second = cluster->nodes[1];
  CHECK(second.free_gpus == 2);
  REQUIRE(second.occupants.size() == 1);
  CHECK(second.occupants[0].gpus == 6);
  CHECK(second.occupants[0].index == 1);
  CHECK(cluster->nodes[2].unavailable == "cordoned");
  CHECK(cluster->nodes[2].free_gpus == 8);
  CHECK(cluster->nodes[3].unavailable == "not Ready");
  CHECK(cluster->nodes[3].usable_gpus == 7);
  CHECK(cluster->nodes[3].gpus == 8);
  REQUIRE(cluster->sources.size() == 2);
  CHECK(cluster->sources[0].told == "5 Nodes");
  CHECK(cluster->sources[1].told == "6 Pods");
  const std::string notes = words_of(cluster->notes);
  CHECK(notes.find("1 node unavailable (cordoned): gpu-2\n") != notes.npos);
  CHECK(notes.find("1 node without GPUs left out\n") != notes.npos);
  CHECK(notes.find("1 pod with GPUs wait for a node\n") != notes.npos);
}

TEST_CASE("without pods nobody knows which GPUs are free, with none of them all are") {
  const auto alone = read_fixtures({"nodes.yaml"});
  REQUIRE(alone);
  CHECK(alone->nodes[0].free_gpus == -1);
  const auto idle =
      read_kubernetes_dump({{"n", kubernetes_dump("nodes.yaml")},
                            {"p", R"({"kind":"PodList","apiVersion":"v1","items":[]})"}});
  REQUIRE(idle);
  CHECK(idle->nodes[0].free_gpus == 8);
  CHECK(idle->nodes[3].free_gpus == 7);
}

TEST_CASE("pods of one namespace alone are told to be too few") {
  const auto cluster = read_kubernetes_dump(
      {{"n", kubernetes_dump("nodes.yaml")},
       {"p", R"({"kind":"List","apiVersion":"v1","items":[{"kind":"Pod","metadata":)"
             R"({"name":"a","namespace":"default"},"spec":{"nodeName":"gpu-0"}}]})"}});
  REQUIRE(cluster);
  CHECK(text_of(cluster->notes)
            .find("p:1:76: warning: all pods are in the namespace 'default'; free GPUs are right "
                  "only if there are no others (kubectl get pods -A -o json reads all "
                  "namespaces)") != std::string::npos);
}

TEST_CASE("JSON and YAML of the same objects give the same cluster") {
  std::vector<DumpFile> yaml;
  std::vector<DumpFile> json;
  for (const std::string name :
       {"nodes.yaml", "pods.yaml", "kueue.yaml", "hypernodes.yaml", "slices.yaml"}) {
    yaml.push_back({name, kubernetes_dump(name)});
    json.push_back({name, json_of_documents(yaml.back().text)});
  }
  const auto one = read_kubernetes_dump(yaml);
  const auto other = read_kubernetes_dump(json);
  REQUIRE(one);
  REQUIRE(other);
  CHECK(description_of(*one) == description_of(*other));
  CHECK(words_of(one->notes) == words_of(other->notes));
}

TEST_CASE("pages of a list are the list, in any order of files") {
  std::vector<std::string> items;
  const std::string nodes = json_of_documents(kubernetes_dump("nodes.yaml"));
  for (std::size_t begin = 0; begin < nodes.size();) {
    const std::size_t end = nodes.find('\n', begin);
    items.push_back(nodes.substr(begin, end - begin));
    begin = end + 1;
  }
  const auto page = [&](std::size_t from, std::size_t to, const std::string& more) {
    return fmt::format(
        R"({{"kind":"NodeList","apiVersion":"v1","metadata":{{"continue":"{}"{}}},"items":[{}]}})",
        more, more.empty() ? "" : fmt::format(R"(,"remainingItemCount":{})", items.size() - to),
        fmt::join(items.begin() + static_cast<long>(from), items.begin() + static_cast<long>(to),
                  ","));
  };
  const auto whole = read_kubernetes_dump({{"all", page(0, 5, "")}});
  REQUIRE(whole);
  const std::vector<DumpFile> pages{
      {"1", page(0, 2, "x")}, {"2", page(2, 4, "y")}, {"3", page(4, 5, "")}};
  for (const std::vector<DumpFile>& some :
       {pages,
        {pages[2], pages[0], pages[1]},
        {{"1", pages[0].text + "\n" + pages[1].text + "\n" + pages[2].text}}}) {
    const auto paged = read_kubernetes_dump(some);
    REQUIRE(paged);
    CHECK(description_of(*paged) == description_of(*whole));
    CHECK(words_of(paged->notes) == words_of(whole->notes));
  }
  const auto first = read_kubernetes_dump({pages[0]});
  REQUIRE(first);
  CHECK(first->notes[0].format().starts_with(
      "1:1:61: warning: this is one page of a list that has 3 more"));
  const auto gap = read_kubernetes_dump({pages[0], pages[2]});
  REQUIRE(gap);
  CHECK(gap->notes[0].message == "pages are missing: 3 of 5 Nodes are here");
}

TEST_CASE("free GPUs are never negative and never more than usable ones") {
  std::mt19937 random(7);
  const auto below = [&](unsigned most) { return static_cast<int>(random() % most); };
  for (int round = 0; round < 50; ++round) {
    std::string text;
    for (int i = 0; i < 4; ++i)
      text += fmt::format(
          "---\napiVersion: v1\nkind: Node\nmetadata: {{name: n-{}, labels: "
          "{{node.kubernetes.io/instance-type: p5.48xlarge{}}}}}\nstatus: {{allocatable: "
          "{{nvidia.com/gpu: {}}}}}\n",
          i, below(4) == 0 ? ", nvidia.com/gpu.replicas: '4'" : "", below(12));
    for (int i = 0; i < 12; ++i)
      text += fmt::format(
          "---\napiVersion: v1\nkind: Pod\nmetadata: {{name: p-{}, namespace: ns-{}}}\nspec:\n"
          "  nodeName: n-{}\n  containers: [{{resources: {{requests: {{nvidia.com/gpu: {}}}}}}}]\n"
          "  initContainers: [{{restartPolicy: {}, resources: {{limits: {{nvidia.com/gpu: "
          "{}}}}}}}]\nstatus: {{phase: {}}}\n",
          i, below(2), below(6), below(9), below(2) == 0 ? "Always" : "''", below(4),
          below(3) == 0 ? "Failed" : "Running");
    const auto cluster = read_text(text);
    INFO(text << (cluster ? "" : text_of(cluster.error())));
    REQUIRE(cluster);
    for (const FoundNode& node : cluster->nodes) {
      int taken = 0;
      for (const Occupant& occupant : node.occupants) taken += occupant.gpus;
      CHECK(node.free_gpus >= 0);
      CHECK(node.free_gpus <= node.usable_gpus);
      CHECK(node.usable_gpus <= node.gpus);
      CHECK(node.free_gpus == std::max(0, node.usable_gpus - taken));
    }
  }
}

TEST_CASE("nodes without whole GPUs and unknown ones stay and say so") {
  const std::string text = dump_of({
      {"a", dgx()},
      {"b", dgx(), R"("nvidia.com/gpu":"0")"},
      {"c", dgx(), R"("nvidia.com/gpu":"0","nvidia.com/mig-3g.40gb":"16")"},
      {"d", {{"nvidia.com/gpu.product", "NVIDIA-Z900"}, {"nvidia.com/gpu.count", "4"}}},
  });
  const auto cluster = read_kubernetes_dump({{"n.json", text}});
  INFO((cluster ? "" : text_of(cluster.error())));
  REQUIRE(cluster);
  REQUIRE(cluster->nodes.size() == 4);
  CHECK(cluster->nodes[1].unavailable == "no GPU is allocatable");
  CHECK(cluster->nodes[1].usable_gpus == 0);
  CHECK(cluster->nodes[1].gpus == 8);
  CHECK(cluster->nodes[2].unavailable == "MIG slices instead of whole GPUs");
  CHECK(cluster->nodes[2].usable_gpus == 0);
  CHECK(cluster->nodes[3].gpu.empty());
  CHECK(cluster->nodes[3].type.empty());
  CHECK(cluster->nodes[3].gpus == 8);  // allocatable counts, the label is older
  CHECK(words_of(cluster->notes).find("warning: 1 node with the unknown GPU 'NVIDIA-Z900': d") !=
        std::string::npos);
}

TEST_CASE("a clique is an NVLink domain and a part of it") {
  std::map<std::string, std::string> rack{
      {"node.kubernetes.io/instance-type", "p6e-gb200.36xlarge"},
      {"nvidia.com/gpu.clique", "7b968a6d-e3c2-4e0e-a4c3-c1d2f1e0a001.32766"}};
  const auto cluster =
      read_kubernetes_dump({{"n.json", dump_of({{"a", rack, R"("nvidia.com/gpu":"4")"}})}});
  INFO((cluster ? text_of(cluster->notes) : text_of(cluster.error())));
  REQUIRE(cluster);
  CHECK(cluster->nodes[0].accelerator_domain == "7b968a6d-e3c2-4e0e-a4c3-c1d2f1e0a001");
  CHECK(cluster->nodes[0].accelerator_partition == "32766");
}

TEST_CASE("TPU slices and objects of no use are told and left out") {
  const auto cluster = read_text(kubernetes_dump("nodes.yaml") + R"(---
apiVersion: v1
kind: Node
metadata:
  name: tpu-0
  labels: {cloud.google.com/gke-tpu-topology: 4x4x4, cloud.google.com/gke-tpu-accelerator: tpu-v5p}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: a}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: a}
)");
  REQUIRE(cluster);
  CHECK(cluster->nodes.size() == 4);
  const std::string notes = words_of(cluster->notes);
  CHECK(notes.find("warning: 1 node of a TPU slice left out: tpu-0 (its torus is not supported; "
                   "GPUs are)\n") != notes.npos);
  CHECK(notes.find("passed over: 1 ConfigMap, 1 Deployment\n") != notes.npos);
}

TEST_CASE("CoreWeave's labels tell the cables, and which are wrong") {
  const auto cluster = read_fixtures({"coreweave.yaml"});
  INFO((cluster ? text_of(cluster->notes) : text_of(cluster.error())));
  REQUIRE(cluster);
  const FoundNode& node = cluster->nodes[0];
  REQUIRE(node.nics.size() == 4);
  CHECK(node.nics[0].name == "ibp0");
  CHECK(node.nics[0].rate.gbit() == 400);  // 1600G of four cables
  REQUIRE(cluster->switches.size() == 3);
  REQUIRE(cluster->cables.size() == 4);
  CHECK(cluster->cables[0].state == CableState::up);
  CHECK(cluster->cables[0].trouble.empty());
  CHECK(cluster->cables[0].b.port == "3");
  CHECK(cluster->switches[cluster->cables[1].b.index].id == "leaf-7-3");
  CHECK(cluster->cables[1].trouble == "miscabled: at leaf-7-3 port 3, expected leaf-7-2 port 3");
  CHECK(cluster->cables[2].state == CableState::down);
  CHECK(cluster->cables[2].trouble == "no neighbour, expected leaf-7-3 port 3");
  CHECK(cluster->cables[3].trouble.empty());
  const std::string notes = words_of(cluster->notes);
  CHECK(notes.find("warning: 1 node with cables that are down: g0a1b2c\n") != notes.npos);
  CHECK(notes.find("warning: 1 node with cables that are not where they are expected: g0a1b2c\n") !=
        notes.npos);
}

TEST_CASE("device slices and SR-IOV states tell NICs, their GPUs and rates") {
  const auto cluster = read_fixtures({"nodes.yaml", "slices.yaml"});
  INFO((cluster ? text_of(cluster->notes) : text_of(cluster.error())));
  REQUIRE(cluster);
  const std::vector<FoundNic>& nics = cluster->nodes[0].nics;
  REQUIRE(nics.size() == 3);
  CHECK(nics[0].name == "mlx5_0");  // ens1np0 of SR-IOV has its MAC
  CHECK(nics[0].id == "94:6d:ae:00:00:01");
  CHECK(nics[0].gpus == std::vector<int>{0});
  CHECK(nics[0].rate.gbit() == 400);
  CHECK(nics[1].gpus == std::vector<int>{1});
  CHECK(nics[1].rate.gbit() == 0);
  CHECK(nics[2].name == "ens9f0");
  CHECK(nics[2].rate.gbit() == 25);
  CHECK(words_of(cluster->notes).find("warning: 1 SR-IOV NIC without a link") != std::string::npos);
}

TEST_CASE("GPUs of a DRA driver count without a device plugin") {
  const auto cluster = read_text(kubernetes_dump("slices.yaml") + R"(---
apiVersion: v1
kind: Node
metadata: {name: gpu-0}
status: {allocatable: {cpu: "190"}}
---
apiVersion: v1
kind: Pod
metadata: {name: p, namespace: ns}
spec: {nodeName: gpu-0, resourceClaims: [{name: gpu, resourceClaimName: one}]}
---
apiVersion: resource.k8s.io/v1
kind: ResourceClaim
metadata: {name: one, namespace: ns}
status:
  allocation:
    devices: {results: [{driver: gpu.nvidia.com, pool: gpu-0, device: gpu-0}]}
)");
  INFO((cluster ? text_of(cluster->notes) : text_of(cluster.error())));
  REQUIRE(cluster);
  CHECK(cluster->nodes[0].gpu == "H100-SXM5-80GB");
  CHECK(cluster->nodes[0].gpus == 2);
  CHECK(cluster->nodes[0].usable_gpus == 2);
  CHECK(cluster->nodes[0].free_gpus == 1);
}

TEST_CASE("the format is known by its beginning") {
  const auto is = [](std::string_view text) { return looks_like_kubernetes(text); };
  CHECK(is("{\"kind\":\"NodeList\",\"apiVersion\":\"v1\""));
  CHECK(is("\xEF\xBB\xBF\n[{\"apiVersion\": \"v1\""));
  CHECK(is("# nodes\napiVersion: v1\nitems: []\n"));
  CHECK(is("---\nkind: Node\napiVersion: v1\n"));
  CHECK(is("NAME   STATUS   ROLES"));
  CHECK(is("Error from server (Forbidden): nodes is forbidden"));
  CHECK_FALSE(is(""));
  CHECK_FALSE(is("<html>"));
  CHECK_FALSE(is("{\"schema\":\"foreshard.cluster.v1\"}"));
  CHECK_FALSE(is("SwitchName=s0 Nodes=n[0-3]"));
}

TEST_CASE("duplicates are told across files") {
  const auto twice = read_kubernetes_dump(
      {{"a.yaml", kubernetes_dump("nodes.yaml")}, {"b.yaml", kubernetes_dump("nodes.yaml")}});
  REQUIRE_FALSE(twice);
  CHECK(twice.error().size() == 5);
  CHECK(twice.error()[0].format() ==
        "b.yaml:4:9: error: duplicate node 'gpu-0' (first given in a.yaml, line 4)");
}

}  // namespace
}  // namespace topology
