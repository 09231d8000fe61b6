#include "tests/topology/import_support.hpp"

namespace topology {
namespace {

/// "mlx5_0 400: 0 1" a line for each NIC, with Gbit/s and the GPUs nearest to it.
std::string nics_of(const FoundNode& node) {
  std::string text;
  for (const FoundNic& nic : node.nics)
    text += fmt::format("{} {:.0f}:{}{}\n", nic.name, nic.rate.gbit(), nic.gpus.empty() ? "" : " ",
                        fmt::join(nic.gpus, " "));
  return text;
}

std::string replaced(std::string text, const std::string& from, const std::string& to) {
  const std::size_t at = text.find(from);
  REQUIRE(at != std::string::npos);
  return text.replace(at, from.size(), to);
}

TEST_CASE("NCCL's dump of a machine with NVSwitches is read") {
  const std::string text = fixture("nccl-topo-hgx-h100.xml");
  CHECK(detected(text) == "nccl-topology");
  const auto found = read_as("nccl-topology", text);
  INFO((found ? "" : text_of(found.error())));
  REQUIRE(found);
  REQUIRE(found->nodes.size() == 1);
  const FoundNode& node = found->nodes[0];
  CHECK(node.name.empty());
  CHECK(node.gpu.empty());
  CHECK(node.gpus == 8);
  // 4 + 4 + 5 + 5 links of 25 GB/s; 16 lanes of the fifth generation.
  CHECK(node.inside.at(0).scale_up == ScaleUpKind::nvswitch);
  CHECK(node.inside.at(0).scale_up_rate.gbyte() == Approx(450));
  CHECK(node.inside.at(0).pcie_rate.gbyte() == Approx(63));
  CHECK(nics_of(node) ==
        "mlx5_8 100: 0 1 2 3\nmlx5_0 400: 0\nmlx5_1 400: 1\nmlx5_2 400: 2\nmlx5_3 400: 3\n"
        "mlx5_4 400: 4\nmlx5_5 400: 5\nmlx5_6 400: 6\nmlx5_7 400: 7\n");
  CHECK(text_of(found->notes) ==
        "f:2:4: note: the GPUs have compute capability 90; which model they are is not told\n");
}

TEST_CASE("a virtual machine hides its PCIe speeds from NCCL") {
  const auto found = read_as("nccl-topology", fixture("nccl-topo-vm-a100.xml"));
  REQUIRE(found);
  const FoundInside& inside = found->nodes[0].inside.at(0);
  CHECK(inside.scale_up == ScaleUpKind::mesh);
  CHECK(inside.scale_up_rate.gbyte() == Approx(12 * 25));
  CHECK(inside.pcie_rate.gbyte() == Approx(12));  // 16 lanes of 6 Gb/s
  CHECK(nics_of(found->nodes[0]) == "eth0 40: 0 1\n");
  CHECK(text_of(found->notes) ==
        "f:3:6: warning: PCIe '' x '0' is no known speed (a virtual machine?); NCCL takes 12 GB/s "
        "for 16 lanes, and so is done here\n"
        "f:2:4: note: the GPUs have compute capability 80; which model they are is not told\n");
}

TEST_CASE("hosts of one kind in a file of several are one node") {
  const std::string one =
      "<cpu host_hash=\"0x1\"><pci link_speed=\"16.0 GT/s PCIe\" link_width=\"16\">"
      "<gpu dev=\"0\" sm=\"70\"/></pci></cpu>";
  const std::string other = replaced(replaced(one, "0x1", "0x2"), "16.0", "8.0");
  const auto alike = read_as(
      "nccl-topology", "<system version=\"1\">" + one + replaced(one, "0x1", "0x3") + "</system>");
  REQUIRE(alike);
  CHECK(alike->nodes.size() == 1);
  const auto different =
      read_as("nccl-topology", "<system version=\"1\">" + one + other + "</system>");
  REQUIRE(different);
  REQUIRE(different->nodes.size() == 2);
  CHECK(different->nodes[0].inside[0].pcie_rate.gbyte() == Approx(31.5));
  CHECK(different->nodes[1].inside[0].pcie_rate.gbyte() == Approx(15.75));
  CHECK(different->nodes[1].inside[0].scale_up == ScaleUpKind::none);
  CHECK(different->nodes[1].aliases == std::vector<std::string>{"0x2"});
}

TEST_CASE("elements that NCCL may add are passed over, in any order of attributes") {
  const auto found = read_as(
      "nccl-topology",
      "<system version=\"1\"><cpu numaid=\"0\"><future a=\"b\"><gpu/></future>"
      "<pci link_width=\"16\" link_speed=\"64.0 GT/s PCIe\"><c2c bw=\"1\"/>"
      "<gpu sm=\"103\" dev=\"0\"><nvlink tclass=\"0x068000\" count=\"18\" target=\"x\"/>"
      "<c2c bw=\"2\"/></gpu></pci>"
      "<nic><net speed=\"400000\" name=\"mlx5_0\"/><net speed=\"400000\" name=\"mlx5_0\"/></nic>"
      "</cpu></system>");
  REQUIRE(found);
  CHECK(found->nodes[0].inside[0].scale_up_rate.gbyte() == Approx(900));
  CHECK(found->nodes[0].inside[0].pcie_rate.gbyte() == Approx(121));
  CHECK(found->nodes[0].nics.at(0).ports == 2);
  CHECK(found->nodes[0].nics.at(0).rate.gbit() == Approx(800));
}

TEST_CASE("mistakes in NCCL's topology are told at their place") {
  const std::string good =
      "<system version=\"1\">\n<cpu>\n<pci link_speed=\"32.0 GT/s PCIe\" link_width=\"16\">\n"
      "<gpu dev=\"0\" sm=\"90\">\n<nvlink target=\"a\" count=\"4\"/>\n</gpu></pci>\n"
      "<nic><net name=\"n\" speed=\"1\"/></nic></cpu></system>";
  REQUIRE(read_as("nccl-topology", good));
  struct Row {
    const char* from;
    const char* to;
    const char* want;
  };
  const Row row = GENERATE(values<Row>({
      {"version=\"1\"", "version=\"3\"", "f:1:2: error: 'version' is '3', must be 1\n"},
      {"dev=\"0\"", "dev=\"x\"", "f:4:2: error: 'dev' is 'x', must be a whole number\n"},
      {"dev=\"0\"", "", "f:4:2: error: <gpu> has no 'dev'\n"},
      {"count=\"4\"", "count=\"-4\"", "f:5:2: error: 'count' is '-4', must be a whole number\n"},
      {"speed=\"1\"", "speed=\"fast\"",
       "f:7:7: error: 'speed' is 'fast', must be a whole number\n"},
      {"</gpu></pci>", "</gpu><gpu dev=\"0\" sm=\"90\"/></pci>",
       "f:6:8: error: GPU 0 is given twice\n"},
      {"<system version=\"1\">", "<sistem>", "f:7:45: error: no XML: Start-end tags mismatch\n"},
  }));
  INFO(row.to);
  CHECK(mistakes_of("nccl-topology", replaced(good, row.from, row.to)) == row.want);
  CHECK(mistakes_of("nccl-topology", "<system version=\"1\"><cpu/></system>") ==
        "f:1:2: error: there is no GPU in it (write it on a node with GPUs)\n");
  std::string deep = "<system version=\"1\"><cpu>";
  for (int i = 0; i < 100'000; ++i) deep += "<pci>";
  for (int i = 0; i < 100'000; ++i) deep += "</pci>";
  CHECK(mistakes_of("nccl-topology", deep + "</cpu></system>") ==
        "f:1:527: error: elements nest more than 100 deep\n");
}

TEST_CASE("the table of nvidia-smi is read with its underlined header and its legend") {
  const std::string text = fixture("nvidia-smi-topo-hgx.txt");
  CHECK(detected(text) == "nvidia-smi-topo");
  const auto found = read_as("nvidia-smi-topo", text);
  INFO((found ? "" : text_of(found.error())));
  REQUIRE(found);
  const FoundNode& node = found->nodes.at(0);
  CHECK(node.gpus == 8);
  CHECK(node.inside.at(0).scale_up == ScaleUpKind::nvswitch);
  CHECK(nics_of(node) ==
        "mlx5_0 0: 0 1 2 3\nmlx5_1 0: 0\nmlx5_2 0: 1\nmlx5_3 0: 2\nmlx5_4 0: 3\n"
        "mlx5_5 0: 4\nmlx5_6 0: 5\nmlx5_7 0: 6\nmlx5_8 0: 7\n");
  CHECK(text_of(found->notes) ==
        "f:1:2: note: GPUs have 18 NVLinks into switches; the rate of one depends on the GPU, "
        "which is not told\n");
}

TEST_CASE("older tables of nvidia-smi name the devices in the header") {
  const auto found =
      read_as("nvidia-smi-topo",
              "        GPU0    GPU1    mlx5_0  mlx5_1  CPU Affinity    NUMA Affinity\n"
              "GPU0     X      NV12    PXB     SYS     0-23            N/A\n"
              "GPU1    NV12     X      SYS     SYS     0-23            N/A\n"
              "mlx5_0  PXB     SYS      X      SYS\n"
              "mlx5_1  SYS     SYS     SYS      X\n");
  INFO((found ? "" : text_of(found.error())));
  REQUIRE(found);
  CHECK(nics_of(found->nodes.at(0)) == "mlx5_0 0: 0\nmlx5_1 0:\n");
  // 12 links lead from one to the other: no row has more than a GPU has links.
  CHECK(found->nodes[0].inside.at(0).scale_up == ScaleUpKind::mesh);
}

TEST_CASE("GPUs without NVLink meet over PCIe") {
  const auto found = read_as("nvidia-smi-topo",
                             "\tGPU0\tGPU1\tCPU Affinity\n"
                             "GPU0\t X \tPHB\t0-1\nGPU1\tPHB\t X \t0-1\n");
  REQUIRE(found);
  CHECK(found->nodes[0].inside.at(0).scale_up == ScaleUpKind::pcie);
}

TEST_CASE("mistakes in the table of nvidia-smi are told at their place") {
  CHECK(
      mistakes_of("nvidia-smi-topo", "\tGPU0\tGPU1\tCPU Affinity\nGPU0\t X \tQPI\nGPU1\tSYS\t X") ==
      "f:2:10: error: 'QPI' is no way that two devices meet (known: X, NV1 to NV18, PIX, PXB, "
      "PHB, NODE, SYS, N/A)\n");
  CHECK(mistakes_of("nvidia-smi-topo", "\tGPU0\tGPU1\tCPU Affinity\nGPU0\t X \n") ==
        "f:2:1: error: the row of GPU0 has 1 cells, the header 2\n");
  CHECK(mistakes_of("nvidia-smi-topo", "\tGPU0\tGPU1\tCPU Affinity\nGPU0\t X \tSYS\n") ==
        "f: error: there is no row for GPU1 (the table is cut off; write it again)\n");
  CHECK(mistakes_of("nvidia-smi-topo", "\tGPU0\tGPU1\tCPU Affinity\nGPU1\t X \tSYS\n")
            .starts_with("f:2:1: error: the row of GPU0 should be here, not 'GPU1'\n"));
  const std::string rocm =
      "======= ROCm System Management Interface =======\n"
      "====== Weight between two GPUs ======\n       GPU0   GPU1\n";
  CHECK(detected(rocm) == "nvidia-smi-topo");
  CHECK(mistakes_of("nvidia-smi-topo", rocm) ==
        "f: error: the table of rocm-smi is not supported (dump the topology with RCCL instead: "
        "NCCL_TOPO_DUMP_FILE=FILE)\n");
}

}  // namespace
}  // namespace topology
