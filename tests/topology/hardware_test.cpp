#include "topology/hardware.hpp"

#include <filesystem>
#include <fstream>
#include <set>

#include "tests/support/catch.hpp"
#include "tests/topology/support.hpp"

namespace topology {
namespace {

const std::string hardware_folder = std::string(FORESHARD_SOURCE_DIR) + "/scenarios/hardware";

std::size_t files_in(const std::string& folder) {
  std::size_t count = 0;
  for (const auto& entry : std::filesystem::directory_iterator(folder))
    count += entry.path().extension() == ".yaml" ? 1 : 0;
  return count;
}

TEST_CASE("every hardware file is read, and is in the registry") {
  const base::Result<HardwareRegistry> registry = HardwareRegistry::read(hardware_folder);
  INFO((registry ? "" : text_of(registry.error())));
  REQUIRE(registry);
  CHECK(registry->gpus().size() == files_in(hardware_folder + "/gpus"));
  CHECK(registry->nodes().size() == files_in(hardware_folder + "/nodes"));
  CHECK(registry->gpus().size() >= 20);
  CHECK(registry->nodes().size() >= 20);
}

TEST_CASE("every shipped figure lies in the range of real machines and has a dated source") {
  REQUIRE_FALSE(shipped_registry()->gpus().empty());
  for (const GpuSpec& gpu : shipped_registry()->gpus()) {
    INFO(gpu.name);
    CHECK(gpu.sources.size() >= 2);
    if (gpu.vendor == "cpu") continue;  // a core that stands for any
    CHECK(gpu.memory.gib() > 15);
    CHECK(gpu.memory.gib() < 300);
    CHECK(gpu.memory_bandwidth.gbyte() >= 500);
    CHECK(gpu.memory_bandwidth.gbyte() < 8001);
    CHECK(gpu.kernel_launch.us() >= 1);
    CHECK(gpu.kernel_launch.us() <= 5);
    // Narrower formats are never slower.
    double last = 0;
    for (const base::DType dtype : {base::DType::fp32, base::DType::tf32, base::DType::fp16,
                                    base::DType::fp8, base::DType::fp4}) {
      const auto peak = gpu.peak.find(dtype);
      if (peak == gpu.peak.end()) continue;
      CHECK(peak->second.tflops() >= last);
      last = peak->second.tflops();
    }
  }
  for (const NodeType& node : shipped_registry()->nodes()) {
    INFO(node.name);
    if (shipped_registry()->find_gpu(node.gpu)->vendor == "cpu") continue;
    CHECK(node.nics >= 1);
    CHECK(node.nic_rate.gbit() >= 25);
    // Verbs reach 0.96 of the line; TCPX and Slingshot were measured at 0.61 and 0.73.
    const bool staged = node.name == "a3-highgpu-8g" || node.name == "polaris";
    CHECK(node.nic_efficiency > (staged ? 0.6 : 0.9));
    CHECK(node.nic_latency.us() == Approx(14));
    CHECK(node.sources.size() >= 4);
  }
}

TEST_CASE("CPUs are known where the maker of the node says so") {
  const auto cpu = [](std::string_view node) { return shipped_registry()->find_node(node)->cpu; };
  CHECK(cpu("dgx-h100") == CpuVendor::intel);
  CHECK(cpu("p5.48xlarge") == CpuVendor::amd);  // with the GPUs of a DGX H100
  CHECK(cpu("gb200-tray") == CpuVendor::arm);
  CHECK(cpu("mi300x-8") == CpuVendor::unknown);
}

TEST_CASE("Volta has no bf16: asking for it must fail, not fall back") {
  const GpuSpec* v100 = shipped_registry()->find_gpu("V100-SXM2-16GB");
  REQUIRE(v100 != nullptr);
  CHECK(v100->peak.count(base::DType::bf16) == 0);
  CHECK(v100->peak.at(base::DType::fp16).tflops() == Approx(125));
}

TEST_CASE("names and aliases") {
  const HardwareRegistry& registry = *shipped_registry();
  const auto gpu = [&](std::string_view name) {
    const GpuSpec* found = registry.find_gpu(name);
    return found == nullptr ? std::string("unknown") : found->name;
  };
  CHECK(gpu("h100-sxm5-80gb") == "H100-SXM5-80GB");
  CHECK(gpu("NVIDIA-H100-80GB-HBM3") == "H100-SXM5-80GB");
  CHECK(gpu("NVIDIA H100 80GB HBM3") == "H100-SXM5-80GB");
  CHECK(gpu("NVIDIA-H100-80GB-HBM3-SHARED") == "H100-SXM5-80GB");
  CHECK(gpu("NVIDIA-H100-80GB-HBM3-MIG-1g.10gb") == "unknown");
  CHECK(gpu("NVIDIA-H100-PCIe") == "H100-PCIe-80GB");
  CHECK(gpu("NVIDIA-H100-NVL") == "unknown");
  CHECK(gpu("Tesla-V100-SXM2-16GB") == "V100-SXM2-16GB");
  CHECK(gpu("NVIDIA-A100-SXM4-40GB") == "A100-SXM4-40GB");
  CHECK(gpu("NVIDIA-A100-80GB-PCIe") == "A100-PCIe-80GB");
  CHECK(gpu("NVIDIA-GB200") == "GB200");
  CHECK(gpu("NVIDIA-B200") == "B200-SXM-180GB");
  CHECK(gpu("") == "unknown");
  for (const char* name : {"p4d.24xlarge", "p4de.24xlarge", "p5.48xlarge", "p6-b200.48xlarge",
                           "u-p6e-gb300x72", "DGX-H100"}) {
    INFO(name);
    CHECK(registry.find_node(name) != nullptr);
  }
  CHECK(registry.find_node("trn1n.32xlarge") == nullptr);
}

TEST_CASE("every GPU of the published measurements is known") {
  for (const char* name :
       {"V100-SXM2-16GB", "V100-SXM2-32GB", "V100-SXM3-32GB", "A100-SXM4-40GB", "A100-SXM4-80GB",
        "A100-PCIe-80GB", "H100-SXM5-80GB", "H100-SXM5-96GB-500W", "H100-PCIe-80GB",
        "H200-SXM-141GB", "B200-SXM-180GB", "GB200", "L40S", "A10G", "RTX-4090", "MI300X-OAM-192GB",
        "MI210-PCIe-64GB"}) {
    INFO(name);
    const GpuSpec* gpu = shipped_registry()->find_gpu(name);
    REQUIRE(gpu != nullptr);
    CHECK(gpu->name == name);
  }
}

TEST_CASE("usable rate among some GPUs of a node") {
  // Switch: any pair at the full rate. 450 GB/s x 0.824 = 370.8 GB/s.
  const NodeType& dgx = *shipped_registry()->find_node("dgx-h100");
  CHECK(scale_up_rate_among(dgx, 2).gbyte() == Approx(370.8));
  CHECK(scale_up_rate_among(dgx, 8).gbyte() == Approx(370.8));
  // Mesh of 8: 448 GB/s x 0.7 over 7 links; two GPUs share one link, four use three of seven.
  const NodeType& mi300x = *shipped_registry()->find_node("mi300x-8");
  CHECK(scale_up_rate_among(mi300x, 2).gbyte() == Approx(448 * 0.7 / 7));
  CHECK(scale_up_rate_among(mi300x, 4).gbyte() == Approx(448 * 0.7 * 3 / 7));
  CHECK(scale_up_rate_among(mi300x, 8).gbyte() == Approx(448 * 0.7));
  // Cube mesh of V100: published all-reduces of 2, 4, 6 and 8 GPUs reach 22.6, 85.8, 45.8 and
  // 134.6 GB/s bus bandwidth.
  const NodeType& dgx1 = *shipped_registry()->find_node("dgx-1v");
  CHECK(scale_up_rate_among(dgx1, 2).gbyte() == Approx(22.6).epsilon(0.05));
  CHECK(scale_up_rate_among(dgx1, 4).gbyte() == Approx(85.8).epsilon(0.05));
  CHECK(scale_up_rate_among(dgx1, 6).gbyte() == Approx(45.8).epsilon(0.05));
  CHECK(scale_up_rate_among(dgx1, 8).gbyte() == Approx(134.6).epsilon(0.05));
}

const std::string good_gpu =
    "name: X\n"
    "vendor: nvidia\n"
    "architecture: hopper\n"
    "peak: {bf16: 100 TFLOP/s}\n"
    "memory: 80 GiB\n"
    "memory_bandwidth: 3 TB/s\n"
    "multiprocessors: 132\n"
    "kernel_launch: 2 us\n"
    "sources:\n"
    "  - {of: [peak, memory, memory_bandwidth, multiprocessors, kernel_launch], from: sheet, "
    "date: 2023-03}\n";

std::string replaced(std::string text, const std::string& from, const std::string& to) {
  const std::size_t at = text.find(from);
  REQUIRE(at != std::string::npos);
  return text.replace(at, from.size(), to);
}

TEST_CASE("mistakes in a GPU file are told at their place") {
  REQUIRE(read_gpu(good_gpu, "g.yaml"));
  struct Row {
    const char* from;
    const char* to;
    const char* want;
  };
  const Row row = GENERATE(values<Row>({
      {"memory_bandwidth, mult", "mult",
       "g.yaml:6:19: error: 'memory_bandwidth' has no source (add {of: [memory_bandwidth], from: "
       "..., date: ...} to 'sources')\n"},
      {"peak, memory,", "peek, peak, memory,",
       "g.yaml:10:10: error: 'peek' is not a figure of this file (known: peak.bf16, memory, "
       "memory_bandwidth, multiprocessors, kernel_launch)\n"},
      {"2023-03", "March",
       "g.yaml:10:95: error: 'date' is 'March', must be like 2023 or 2023-03\n"},
      {"bf16: 100 TFLOP/s", "bf15: 100 TFLOP/s",
       "g.yaml:4:8: error: unknown key 'bf15' (did you mean 'bf16'?)\n"
       "g.yaml:4:7: error: 'peak' names no number format\n"
       "g.yaml:10:10: error: 'peak' is not a figure of this file (known: memory, "
       "memory_bandwidth, multiprocessors, kernel_launch)\n"},
      {"80 GiB", "80", "g.yaml:5:9: error: 'memory' has no unit: '80' (for example 80 GiB)\n"},
      {"80 GiB", "0 B", "g.yaml:5:9: error: 'memory' is 0, must be more\n"},
      {"vendor: nvidia", "vendor: acme",
       "g.yaml:2:9: error: 'vendor' is 'acme', must be nvidia, amd or cpu\n"},
      {"name: X", "name: X\naliases: ['a*b']",
       "g.yaml:2:10: error: alias 'a*b' may have '*' only at its end\n"},
      {"multiprocessors: 132", "multiprocessors: 0132",
       "g.yaml:7:18: error: 'multiprocessors' looks octal: 0132 (write 132)\n"},
  }));
  const base::Result<GpuSpec> gpu = read_gpu(replaced(good_gpu, row.from, row.to), "g.yaml");
  REQUIRE_FALSE(gpu);
  CHECK(text_of(gpu.error()) == row.want);
}

const std::string good_node =
    "name: n\n"
    "gpu: H100-SXM5-80GB\n"
    "gpus: 8\n"
    "scale_up: nvswitch\n"
    "scale_up_rate: 450 GB/s\n"
    "pcie_rate: 48 GB/s\n"
    "nics: 8\n"
    "nic_rate: 400 Gbit/s\n"
    "sources: [{of: [gpus, scale_up_rate, pcie_rate, nics, nic_rate], from: sheet, date: 2023}]\n";

TEST_CASE("mistakes in a node file are told at their place") {
  REQUIRE(read_node(good_node, "n.yaml"));
  struct Row {
    const char* from;
    const char* to;
    const char* want;
  };
  const Row row = GENERATE(values<Row>({
      {"scale_up: nvswitch", "scale_up: nvlink",
       "n.yaml:4:11: error: 'scale_up' is 'nvlink', must be one of nvswitch, mesh, pcie, none\n"},
      {"scale_up: nvswitch", "scale_up: none",
       "n.yaml:4:11: error: 'scale_up' is none, but the node has 8 GPUs (one of nvswitch, mesh, "
       "pcie)\n"},
      {"nics: 8", "nics: 32",
       "n.yaml:7:7: error: 'nics' is 32, but the node has 8 GPUs (give the ports that one GPU uses "
       "as one NIC with the sum of their rates)\n"},
      {"nic_rate: 400 Gbit/s", "nic_rate: 0 Gbit/s",
       "n.yaml:8:11: error: 'nic_rate' is 0, must be more\n"},
      {"name: n", "name: n\nscale_up_group_rates: [25 GB/s, 50]",
       "n.yaml:2:23: error: 'scale_up_group_rates' has no unit: '50' (for example 400 Gbit/s or "
       "450 GB/s)\n"
       "n.yaml:2:23: error: 'scale_up_group_rates' has 2 rates, but groups of 2 to 8 GPUs are 7 "
       "sizes\n"
       "n.yaml:2:23: error: 'scale_up_group_rates' has no source (add {of: "
       "[scale_up_group_rates], from: ..., date: ...} to 'sources')\n"},
      {"name: n", "name: n\ncpu: epyc",
       "n.yaml:2:6: error: 'cpu' is 'epyc', must be one of intel, amd, arm\n"
       "n.yaml:2:6: error: 'cpu' has no source (add {of: [cpu], from: ..., date: ...} to "
       "'sources')\n"},
      {"gpus: 8\n", "",
       "n.yaml:1:1: error: 'gpus' is missing\n"
       "n.yaml:8:16: error: 'gpus' is not a figure of this file (known: "
       "scale_up_rate, pcie_rate, nics, nic_rate)\n"},
      {"name: n", "name: n\nscale_up_domain_nodes: 18\nscale_up_efficiency: 1.5",
       "n.yaml:3:22: error: 'scale_up_efficiency' is 1.5, must be at most 1\n"
       "n.yaml:3:22: error: 'scale_up_efficiency' has no source (add {of: [scale_up_efficiency], "
       "from: ..., date: ...} to 'sources')\n"
       "n.yaml:2:24: error: 'scale_up_domain_nodes' has no source (add {of: "
       "[scale_up_domain_nodes], from: ..., date: ...} to 'sources')\n"},
  }));
  const base::Result<NodeType> node = read_node(replaced(good_node, row.from, row.to), "n.yaml");
  REQUIRE_FALSE(node);
  CHECK(text_of(node.error()) == row.want);
}

/// A registry folder of its own, removed at the end.
class Folder {
 public:
  Folder() : path_(std::filesystem::temp_directory_path() / "foreshard_hardware_test") {
    std::filesystem::remove_all(path_);
    std::filesystem::create_directories(path_ / "gpus");
    std::filesystem::create_directories(path_ / "nodes");
  }
  ~Folder() { std::filesystem::remove_all(path_); }
  void write(const std::string& name, const std::string& text) {
    std::ofstream(path_ / name) << text;
  }
  std::string path() const { return path_.string(); }

 private:
  std::filesystem::path path_;
};

TEST_CASE("a registry tells of unknown GPUs, names taken twice and empty folders") {
  Folder folder;
  folder.write("gpus/a.yaml", good_gpu);
  folder.write("gpus/b.yaml", replaced(good_gpu, "name: X", "name: Y\naliases: [x]"));
  folder.write("nodes/n.yaml", good_node);
  const base::Result<HardwareRegistry> registry = HardwareRegistry::read(folder.path());
  REQUIRE_FALSE(registry);
  CHECK(text_of(registry.error()) ==
        folder.path() + "/gpus/b.yaml:2:10: error: 'x' is already taken (by " + folder.path() +
            "/gpus/a.yaml)\n" + folder.path() +
            "/nodes/n.yaml:2:6: error: unknown GPU 'H100-SXM5-80GB' (known: X, Y)\n");

  const base::Result<HardwareRegistry> nothing = HardwareRegistry::read(folder.path() + "/gpus");
  REQUIRE_FALSE(nothing);
  CHECK(nothing.error().size() == 2);
}

}  // namespace
}  // namespace topology
