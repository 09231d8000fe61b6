#include "tests/support/catch.hpp"
#include "tests/topology/k8s_dump.hpp"

namespace topology {
namespace {

using Labels = std::map<std::string, std::string>;

/// What is said about one node among healthy ones, without the words about switches.
std::string said_about(const FakeNode& node) {
  const auto import = import_nodes({{"ok", dgx()}, node});
  std::string text = import ? words_of(import->notes) : words_of(import.error());
  return text.substr(0, text.find("warning: no node has topology labels"));
}

const NodeSpec* imported(const base::Result<KubernetesImport>& import, const std::string& name) {
  if (!import) return nullptr;
  for (const NodeSpec& node : import->spec.nodes)
    if (node.name == name) return &node;
  return nullptr;
}

TEST_CASE("a node's type comes from its instance type, its machine, or its GPUs") {
  struct Row {
    Labels labels;
    std::string allocatable;
    std::string type;
    int gpus;
  };
  const std::string nvidia8 = R"("nvidia.com/gpu":"8")";
  const Row row = GENERATE_COPY(values<Row>({
      {{{"node.kubernetes.io/instance-type", "p5.48xlarge"}}, nvidia8, "p5.48xlarge", 8},
      {{{"beta.kubernetes.io/instance-type", "p4d.24xlarge"}}, nvidia8, "p4d.24xlarge", 8},
      {{{"nvidia.com/gpu.machine", "DGXH100"}}, nvidia8, "dgx-h100", 8},
      {{{"nvidia.com/gpu.machine", "DGXH100"}, {"node.kubernetes.io/instance-type", "p5.48xlarge"}},
       nvidia8,
       "p5.48xlarge",
       8},
      {{{"nvidia.com/gpu.product", "NVIDIA-H100-80GB-HBM3"}, {"nvidia.com/gpu.count", "8"}},
       nvidia8,
       "dgx-h100",
       8},
      {{{"nvidia.com/gpu.product", "NVIDIA-H200"}}, R"("nvidia.com/gpu":8)", "dgx-h200", 8},
      {{{"amd.com/gpu.product-name", "AMD_Instinct_MI300X_OAM"}},
       R"("amd.com/gpu":"8")",
       "mi300x-8",
       8},
      {{{"node.kubernetes.io/instance-type", "p5.48xlarge"}}, R"("pods":"110")", "p5.48xlarge", 8},
  }));
  const auto import = import_nodes({{"a", row.labels, row.allocatable}});
  INFO((import ? "" : text_of(import.error())));
  REQUIRE(import);
  CHECK(import->spec.nodes[0].type->name == row.type);
  CHECK(import->spec.nodes[0].usable_gpus == row.gpus);
}

TEST_CASE("a guessed type is a note, an unequal one a warning") {
  const Labels h100{{"nvidia.com/gpu.product", "NVIDIA-H100-80GB-HBM3"}};
  Labels eight = h100;
  eight["nvidia.com/gpu.count"] = "8";
  const std::string hint =
      " (label node.kubernetes.io/instance-type with a node type to choose another)\n";
  CHECK(said_about({"a", eight}) == "1 node with 8 x H100-SXM5-80GB taken for dgx-h100: a" + hint);
  Labels two = h100;
  two["nvidia.com/gpu.count"] = "2";
  CHECK(said_about({"a", two, R"("nvidia.com/gpu":"2")"})
            .starts_with("warning: 1 node with 2 x H100-SXM5-80GB taken for "));
}

TEST_CASE("nodes that cannot train are left out, with the reason") {
  struct Row {
    FakeNode node;
    std::string want;
  };
  const std::string no_mig = " (a sharded step needs whole GPUs: switch MIG off there)\n";
  const Row row = GENERATE_COPY(values<Row>({
      {{"x", {}, R"("pods":"110")"}, "1 node without GPUs left out\n"},
      {{"x", dgx(), R"("nvidia.com/gpu":"8")", "", "False"}, "1 node left out (not Ready): x\n"},
      {{"x", dgx(), R"("nvidia.com/gpu":"8")", "", "Unknown"}, "1 node left out (not Ready): x\n"},
      {{"x", dgx(), R"("nvidia.com/gpu":"8")", R"("unschedulable":true)"},
       "1 node left out (cordoned): x\n"},
      {{"x", dgx(), R"("nvidia.com/gpu":"8")",
        R"("taints":[{"key":"node.kubernetes.io/unreachable","effect":"NoExecute"}])"},
       "1 node left out (not Ready): x\n"},
      {{"x", dgx(), R"("nvidia.com/gpu":"0")"},
       "warning: 1 node left out (no GPU is allocatable): x (the driver or the device plugin is "
       "down there)\n"},
      {{"x", dgx({{"nvidia.com/gpu.product", "NVIDIA-H100-80GB-HBM3-MIG-1g.10gb"}}),
        R"("nvidia.com/gpu":"56")"},
       "warning: 1 node left out (MIG slices instead of whole GPUs): x" + no_mig},
      {{"x", dgx(), R"("nvidia.com/mig-3g.40gb":"16","nvidia.com/gpu":"0")"},
       "warning: 1 node left out (MIG slices instead of whole GPUs): x" + no_mig},
  }));
  CAPTURE(row.want);
  CHECK(said_about(row.node) == row.want);
  const auto import = import_nodes({{"ok", dgx()}, row.node});
  REQUIRE(import);
  CHECK(imported(import, "x") == nullptr);
}

TEST_CASE("unavailable nodes can be asked for") {
  const auto import =
      import_nodes({{"a", dgx(), R"("nvidia.com/gpu":"8")", "", "False"}}, {.unavailable = true});
  REQUIRE(import);
  CHECK(import->spec.nodes.size() == 1);
}

TEST_CASE("nodes that train with less than they promise are imported, with a warning") {
  struct Row {
    FakeNode node;
    std::string want;
    int gpus;
  };
  const std::string nvidia8 = R"("nvidia.com/gpu":"8")";
  const Row row = GENERATE_COPY(values<Row>({
      {{"x", dgx(), R"("nvidia.com/gpu":"7")"},
       "warning: 1 node with 7 of 8 GPUs allocatable: x (a failed GPU, or one kept from the "
       "scheduler)\n",
       7},
      {{"x", dgx(), R"("pods":"110")"},
       "1 node without allocatable GPUs in the dump, taken with all 8: x\n",
       8},
      {{"x",
        dgx({{"nvidia.com/gpu.product", "NVIDIA-H100-80GB-HBM3-SHARED"},
             {"nvidia.com/gpu.replicas", "4"}}),
        R"("nvidia.com/gpu.shared":"32")"},
       "warning: 1 node with each GPU shared by 4 pods, taken as whole GPUs: x (a shared GPU "
       "trains slower than forecast)\n",
       8},
      {{"x", dgx({{"nvidia.com/gpu.count", "16"}}), R"("nvidia.com/gpu":"16")"},
       "warning: 1 node with 16 GPUs where dgx-h100 has 8: x\n",
       8},
      {{"x", dgx({{"nvidia.com/gpu.memory", "97871"}}), nvidia8},
       "warning: 1 node where the driver reports 95.6 GiB of GPU memory but H100-SXM5-80GB has "
       "79.6 GiB: x (another variant of this GPU may be in scenarios/hardware/gpus)\n",
       8},
      {{"x", dgx({{"node.kubernetes.io/instance-type", "p4d.24xlarge"}}), nvidia8},
       "warning: 1 node where 'p4d.24xlarge' promises A100-SXM4-40GB but the driver reports "
       "H100-SXM5-80GB; the driver is believed: x\n",
       8},
      {{"x",
        dgx({{"node.kubernetes.io/instance-type", "p5.48xlarge"},
             {"nvidia.com/gpu.product", "NVIDIA-H999"}}),
        nvidia8},
       "warning: 1 node with the unknown GPU 'NVIDIA-H999', taken as H100-SXM5-80GB for the "
       "instance type 'p5.48xlarge': x (add its product name to the aliases in "
       "scenarios/hardware/gpus)\n",
       8},
      {{"x", dgx(), nvidia8,
        R"("taints":[{"key":"team","value":"red","effect":"NoSchedule"},)"
        R"({"key":"nvidia.com/gpu","effect":"NoSchedule"}])"},
       "1 node imported in spite of the taint team=red:NoSchedule: x (the job must tolerate it)\n",
       8},
  }));
  CAPTURE(row.want);
  CHECK(said_about(row.node) == row.want);
  const auto import = import_nodes({{"ok", dgx()}, row.node});
  REQUIRE(imported(import, "x") != nullptr);
  CHECK(imported(import, "x")->usable_gpus == row.gpus);
}

TEST_CASE("GPUs that cannot be told are a mistake") {
  CHECK(said_about({"x", {{"nvidia.com/gpu.product", "NVIDIA-H999"}}})
            .starts_with("1 node with the unknown GPU 'NVIDIA-H999': x ("));
  CHECK(said_about({"x", {}}) ==
        "1 node left out: the labels do not say which GPU it has: x (install GPU feature "
        "discovery, or label the node with node.kubernetes.io/instance-type)\n");
  const auto chosen = import_nodes(
      {{"ok", dgx()}, {"x", {{"nvidia.com/gpu.product", "NVIDIA-H999"}}}}, {.gpu = "H100"});
  REQUIRE(chosen);
  CHECK(chosen->spec.nodes.size() == 1);
}

}  // namespace
}  // namespace topology
