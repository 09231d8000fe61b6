#include "topology/k8s_import.hpp"

#include "tests/support/catch.hpp"
#include "tests/topology/k8s_dump.hpp"

namespace topology {
namespace {

using Labels = std::map<std::string, std::string>;

TEST_CASE("the shipped dump becomes a cluster of 16 GPUs") {
  const std::string file = "scenarios/clusters/quickstart-nodes.json";
  const auto text = base::read_file(std::string(FORESHARD_SOURCE_DIR) + "/" + file);
  REQUIRE(text);
  const auto import = import_kubernetes(*text, file, *shipped_registry());
  INFO((import ? "" : text_of(import.error())));
  REQUIRE(import);
  CHECK(text_of(import->notes) ==
        file + ": note: 1 node without GPUs left out\n" + file +
            ": note: switches from the labels fabric.topograph.run/tier-1 (1), "
            "fabric.topograph.run/tier-0 (1)\n");
  CHECK(import->scheme == "topograph");
  CHECK(import->nodes_in_dump == 3);
  CHECK(import->cpu_nodes == 1);
  REQUIRE(import->spec.nodes.size() == 2);
  CHECK(import->spec.nodes[0].name == "gpu-0");
  CHECK(import->spec.nodes[0].type->name == "dgx-h100");
  CHECK(import->spec.nodes[0].domains ==
        std::vector<std::string>{"x81d07c5ee2a6b390", "x3f2ab71c94d0e655"});
  const auto cluster = build_cluster(import->spec, shipped_registry());
  INFO((cluster ? "" : text_of(cluster.error())));
  REQUIRE(cluster);
  CHECK(cluster->gpu_count() == 16);
}

TEST_CASE("texts that are no list of nodes are recognised") {
  struct Row {
    std::string text;
    std::string want;
  };
  const std::string again = " (write it with: kubectl get nodes -o json)";
  const Row row = GENERATE_COPY(values<Row>({
      {"", " error: is empty" + again},
      {" \n", " error: is empty" + again},
      {"<!DOCTYPE html><html>", "1:1: error: this is an HTML page, not JSON" + again},
      {"NAME   STATUS   ROLES\n",
       "1:1: error: this is the table that kubectl prints for people, not JSON" + again},
      {"apiVersion: v1\nitems:\n",
       "1:1: error: is not a Kubernetes object: it has no 'kind'" + again},
      {"Error from server (Forbidden): nodes is forbidden",
       "1:1: error: this is an error message of kubectl, not JSON" + again},
      {"error: You must be logged in",
       "1:1: error: this is an error message of kubectl, not JSON" + again},
      {"{\"kind\":\"List\",\n\"items\":[{\"kind\":\"No",
       "2:21: error: the file ends in the middle of a value (the JSON is truncated; write it "
       "again)"},
      {"[1]", "1:2: error: is not a Kubernetes object" + again},
      {"{\"items\":[]}", "1:1: error: is not a Kubernetes object: it has no 'kind'" + again},
      {"{\"kind\":\"PodList\",\"items\":[]}",
       "1:9: error: is of kind 'PodList', not a list of nodes" + again},
      {"{\"kind\":\"List\",\"items\":[\n{\"kind\":\"Pod\"},{\"kind\":\"Pod\"}]}",
       "2:1: error: the list holds no nodes, but 2 other objects (the first is a Pod)" + again},
      {"{\"kind\":\"List\"}", "1:1: error: this list has no array 'items'" + again},
      {"{\"kind\":\"List\",\"items\":{}}", "1:24: error: this list has no array 'items'" + again},
      {"{\"kind\":\"List\",\"items\":[\n7]}", "2:1: error: an item of the list is not an object"},
      {"{\"kind\":\"Status\",\"status\":\"Failure\",\"message\":\"nodes is forbidden: User x\","
       "\"code\":403}",
       "1:1: error: the API server answered with an error (403): nodes is forbidden: User x (ask "
       "for the rights get and list on nodes)"},
      {"{\"kind\":\"Status\",\"code\":401}",
       "1:1: error: the API server answered with an error (401): no message (log in again and "
       "repeat kubectl get nodes -o json)"},
      {"{\"kind\":\"Status\",\"code\":410,\"message\":\"Expired\"}",
       "1:1: error: the API server answered with an error (410): Expired (the list went stale "
       "while it was paged; read it again)"},
      {"{\"kind\":\"Status\",\"code\":503}",
       "1:1: error: the API server answered with an error (503): no message (the server is busy "
       "or down; read it again)"},
      {"{\"kind\":\"Node\"}", "1:1: error: this node has no name"},
      {"{\"kind\":\"Node\",\"metadata\":{\"name\":\"\"}}", "1:27: error: this node has no name"},
      {"{\"kind\":\"Node\",\"metadata\":{\"name\":\"a\",\"labels\":[]}}",
       "1:48: error: 'labels' must be a map"},
      {"{\"kind\":\"Node\",\"metadata\":{\"name\":\"a\",\"labels\":{\"k\":{}}}}",
       "1:53: error: the label 'k' must be text"},
      {"{\"kind\":\"NodeList\",\"items\":[{\"metadata\":{\"name\":\"a\"}},\n"
       "{\"metadata\":{\"name\":\"a\"}}]}",
       "2:21: error: duplicate node 'a' (first given in line 1)"},
      {"{\"kind\":\"NodeList\",\"items\":[]}",
       " error: no usable GPU node among 0 nodes (the list is empty)"},
  }));
  CAPTURE(row.text);
  const auto import = import_kubernetes(row.text, "n.json", *shipped_registry());
  REQUIRE_FALSE(import);
  CHECK(import.error()[0].format() == "n.json:" + row.want);
}

TEST_CASE("nodes are found in every wrapping that tools write") {
  const std::string node = FakeNode{"a", dgx()}.json();
  const std::string other = FakeNode{"b", dgx()}.json();
  struct Row {
    std::string text;
    std::size_t nodes;
  };
  const Row row = GENERATE_COPY(values<Row>({
      {node, 1},
      {"[" + node + "," + other + "]", 2},
      {"{\"kind\":\"NodeList\",\"items\":[" + node + "]}", 1},
      {"[{\"kind\":\"List\",\"items\":[" + node + "]},{\"kind\":\"List\",\"items\":[" + other +
           "]}]",
       2},
      {"\xEF\xBB\xBF" + node, 1},
      {"{\"kind\":\"PartialObjectMetadataList\",\"items\":[{\"kind\":\"PartialObjectMetadata\","
       "\"metadata\":{\"name\":\"a\",\"labels\":{\"node.kubernetes.io/instance-type\":"
       "\"p5.48xlarge\"}}}]}",
       1},
  }));
  const auto import = import_kubernetes(row.text, "n.json", *shipped_registry());
  INFO((import ? "" : text_of(import.error())));
  REQUIRE(import);
  CHECK(import->spec.nodes.size() == row.nodes);
}

TEST_CASE("a page of a list and a mixed list say so") {
  const std::string node = FakeNode{"a", dgx()}.json();
  const auto page = import_kubernetes(
      "{\"kind\":\"NodeList\",\"metadata\":{\"continue\":\"x\","
      "\"remainingItemCount\":150},\"items\":[" +
          node + "]}",
      "n.json", *shipped_registry());
  REQUIRE(page);
  CHECK(page->notes[0].format() ==
        "n.json:1:43: warning: this is one page of a list that has 150 more (kubectl get nodes -o "
        "json joins all pages)");
  const auto mixed =
      import_kubernetes("{\"kind\":\"List\",\"items\":[{\"kind\":\"Pod\"}," + node + "]}", "n.json",
                        *shipped_registry());
  REQUIRE(mixed);
  CHECK(mixed->notes[0].format() ==
        "n.json:1:25: note: 1 object passed over that is no node (the first is a Pod)");
}

TEST_CASE("the order of the dump does not matter, the numbers in names do") {
  std::vector<FakeNode> nodes;
  for (const char* name : {"node-10", "node-9", "node-1", "node-01", "node", "a-node"})
    nodes.push_back({name, dgx()});
  const auto names = [](const std::vector<FakeNode>& in) {
    std::string text;
    const auto import = import_nodes(in);
    for (const NodeSpec& node : import->spec.nodes) text += node.name + " ";
    return text;
  };
  CHECK(names(nodes) == "a-node node node-01 node-1 node-9 node-10 ");
  std::reverse(nodes.begin(), nodes.end());
  CHECK(names(nodes) == "a-node node node-01 node-1 node-9 node-10 ");
}

TEST_CASE("a cluster has one GPU model, or the user chooses") {
  const Labels a100{{"node.kubernetes.io/instance-type", "p4d.24xlarge"}};
  const std::vector<FakeNode> nodes{{"a", dgx()}, {"b", a100}, {"c", dgx({{"pool", "x"}})}};
  const auto mixed = import_nodes(nodes);
  REQUIRE_FALSE(mixed);
  CHECK(mixed.error()[0].format() ==
        "n.json:3:96: error: the cluster mixes GPU models: 1 node with A100-SXM4-40GB, 2 nodes "
        "with H100-SXM5-80GB (choose one, for example gpu: H100-SXM5-80GB)");

  const auto chosen = import_nodes(nodes, {.gpu = "a100-sxm4-40gb"});
  REQUIRE(chosen);
  CHECK(chosen->spec.nodes.size() == 1);
  CHECK(words_of(chosen->notes)
            .starts_with("2 nodes left out (GPU is H100-SXM5-80GB, not A100-SXM4-40GB): a, c\n"));

  const auto selected = import_nodes(nodes, {.selector = "pool=x"});
  REQUIRE(selected);
  CHECK(selected->spec.nodes[0].name == "c");
  CHECK(selected->notes[0].message == "2 nodes left out by the selector 'pool=x'");
}

TEST_CASE("selectors are those of kubectl") {
  const std::vector<FakeNode> nodes{
      {"a", dgx({{"pool", "x"}, {"old", "1"}})}, {"b", dgx({{"pool", "y"}})}, {"c", dgx()}};
  const auto names = [&](const std::string& selector) {
    const auto import = import_nodes(nodes, {.selector = selector});
    if (!import) return import.error()[0].format();
    std::string text;
    for (const NodeSpec& node : import->spec.nodes) text += node.name;
    return text;
  };
  CHECK(names("pool=x") == "a");
  CHECK(names("pool==x") == "a");
  CHECK(names("pool") == "ab");
  CHECK(names("!pool") == "c");
  CHECK(names("pool!=x") == "bc");
  CHECK(names("pool,!old") == "b");
  const std::string hint = " (write key=value, key!=value, key or !key, joined by commas)";
  CHECK(names("pool=x=y") == "n.json: error: 'pool=x=y' is no requirement on a label" + hint);
  CHECK(names("=x") == "n.json: error: '=x' is no requirement on a label" + hint);
  CHECK(names("pool!x") == "n.json: error: 'pool!x' is no requirement on a label" + hint);
  CHECK(names("a,,b") == "n.json: error: '' is no requirement on a label" + hint);
  CHECK(names("pool in (x)") == "n.json: error: 'pool in (x)' is no requirement on a label" + hint);
  CHECK(names("pool=z") == "n.json: error: no usable GPU node among 3 nodes");
}

TEST_CASE("mistakes in the options are told at the options") {
  const auto import =
      import_nodes({{"a", dgx()}}, {.gpu = "H1000", .scheme = "topo", .where = {"s.yaml", 4, 7}});
  REQUIRE_FALSE(import);
  CHECK(import.error()[0].format().starts_with("s.yaml:4:7: error: unknown GPU 'H1000' ("));
  CHECK(import.error()[1].format().starts_with(
      "s.yaml:4:7: error: unknown label scheme 'topo' (known: topograph, topograph-leaf, "));
}

TEST_CASE("ten thousand odd nodes make few messages") {
  std::vector<FakeNode> nodes;
  for (int i = 0; i < 2000; ++i) nodes.push_back({fmt::format("n{}", i), dgx()});
  for (int i = 0; i < 2000; i += 2)
    nodes[static_cast<std::size_t>(i)].spec = R"("unschedulable":true)";
  const auto import = import_nodes(nodes);
  REQUIRE(import);
  CHECK(import->spec.nodes.size() == 1000);
  CHECK(import->notes[0].format() ==
        "n.json:2:189: note: 1000 nodes left out (cordoned): n0, n2, n4, ...");
  CHECK(import->notes.size() == 2);
}

}  // namespace
}  // namespace topology
