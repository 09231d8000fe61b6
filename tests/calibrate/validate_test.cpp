#include <filesystem>
#include <span>
#include <string>

#include "calibrate/validate_collectives.hpp"
#include "calibrate/validate_kernels.hpp"
#include "tests/calibrate/support.hpp"
#include "tests/support/published.hpp"

namespace calibrate {
namespace {

constexpr const char* header =
    "id,source,library,gpu,op,dtype,m,n,k,batch,seq_len,q_heads,kv_heads,head_dim,causal,time_us,"
    "note\n";

std::vector<KernelRow> rows_of(const std::string& lines) {
  const auto table = base::parse_csv(header + lines, "k.csv");
  REQUIRE(table);
  const auto rows = read_kernel_rows(*table);
  INFO((rows ? "" : text_of(rows.error())));
  REQUIRE(rows);
  return *rows;
}

TEST_CASE("a row names every kernel that its library runs") {
  const std::vector<KernelRow> rows = rows_of(
      "a,s,torch 2.7,H100-SXM5-80GB,gemm,fp8,16,32,64,,,,,,,5,\n"
      "b,s,trtllm 1.3,H100-SXM5-80GB,gemm,fp8,16,32,64,,,,,,,5,\n"
      "c,s,vllm 0.24,H100-SXM5-80GB,attention_fwd,bf16,,,,2,1024,8,4,64,1,5,\n"
      "d,s,PyTorch,A100-SXM4-80GB,other,fp16,,,,2,1024,8,8,64,0,5,attention_fwd_bwd: both\n");
  CHECK(kernels_of(rows[0]).kernels.size() == 1);
  // trtllm's activations: 16 x 64 elements, 7 bytes of traffic each, two kernels.
  const KernelsOfRow quantised = kernels_of(rows[1]);
  REQUIRE(quantised.kernels.size() == 2);
  CHECK(std::get<base::MemoryBound>(quantised.kernels[1]) ==
        base::MemoryBound{base::Bytes::from_count(7168), 2});
  // Keys and values of 2 x 1024 tokens, 4 heads of 64, 2 bytes: 2 MiB, read and written.
  const KernelsOfRow cached = kernels_of(rows[2]);
  REQUIRE(cached.kernels.size() == 2);
  CHECK(std::get<base::MemoryBound>(cached.kernels[1]).bytes == base::Bytes::from_mib(4));
  const KernelsOfRow both = kernels_of(rows[3]);
  REQUIRE(both.kernels.size() == 2);
  CHECK_FALSE(std::get<base::Attention>(both.kernels[0]).backward);
  CHECK(std::get<base::Attention>(both.kernels[1]).backward);
  CHECK_FALSE(std::get<base::Attention>(both.kernels[0]).flash);
}

TEST_CASE("rows that cannot be expressed are listed with the reason") {
  const std::vector<KernelRow> rows = rows_of(
      "ok,s,torch,A100-SXM4-80GB,gemm,bf16,1024,1024,1024,,,,,,,20,\n"
      "fp8,s,torch,A100-SXM4-80GB,gemm,fp8,1024,1024,1024,,,,,,,20,\n"
      "gpu,s,torch,A900,gemm,bf16,1024,1024,1024,,,,,,,20,\n"
      "size,s,torch,A100-SXM4-80GB,gemm,bf16,1024,,1024,,,,,,,20,\n"
      "time,s,torch,A100-SXM4-80GB,gemm,bf16,1024,1024,1024,,,,,,,,\n"
      "type,s,torch,A100-SXM4-80GB,gemm,int3,1024,1024,1024,,,,,,,20,\n"
      "huge,s,torch,A100-SXM4-80GB,gemm,bf16,1e300,1024,1024,,,,,,,20,\n"
      "what,s,torch,A100-SXM4-80GB,other,bf16,,,,,,,,,,20,convolution: 3x3\n");
  const auto score = validate_kernels(rows, shipped_registry(), hardware_folder);
  REQUIRE(score);
  CHECK(score->rows == 8);
  CHECK(score->all.rows == 1);
  std::string reasons;
  for (const base::UnexpressedRow& row : score->unexpressed)
    reasons += row.id + ": " + row.reason + "\n";
  CHECK(reasons ==
        "fp8: a A100-SXM4-80GB does not compute in fp8\n"
        "gpu: unknown GPU 'A900'\n"
        "size: m, n or k is missing\n"
        "time: no time\n"
        "type: unknown number format 'int3'\n"
        "huge: a dimension is out of range\n"
        "what: no kernel stands for 'convolution'\n");
}

TEST_CASE("mistakes in the table are told") {
  const auto table = base::parse_csv("id,gpu,op\n", "k.csv");
  REQUIRE(table);
  const auto rows = read_kernel_rows(*table);
  REQUIRE_FALSE(rows);
  CHECK(rows.error().size() == 12);
  const auto cell =
      base::parse_csv(std::string(header) + "a,s,l,g,gemm,bf16,x,1,1,,,,,,,1,\n", "k.csv");
  REQUIRE(cell);
  const auto bad = read_kernel_rows(*cell);
  REQUIRE_FALSE(bad);
  CHECK(text_of(bad.error()) == "k.csv:2:1: error: 'm' is not a number: 'x'\n");
}

TEST_CASE("a collective's row finds the node type with its GPUs and NICs") {
  CollectiveRow row;
  row.gpu = "A100-SXM4-80GB";
  row.ranks = 16;
  row.nodes = 2;
  row.nic_gbps_per_node = 400;
  const auto setting = setting_of(row, shipped_registry());
  REQUIRE(setting);
  CHECK(setting->ranks_per_node == 8);
  const GroupShape shape = shape_of(*setting, shipped_registry());
  CHECK(shape.scale_up_rate.gbyte() == Approx(240));  // 12 NVLinks of 25 GB/s at 0.8
  CHECK(shape.nics == setting->node.nics);
  // 400 Gbit/s a node, whatever NICs the node type has: 50 GB/s less what packets cost.
  CHECK((setting->node.nic_rate * setting->node.nics).gbit() == Approx(400));
  CHECK(shape.network_rate.gbyte() == Approx(50 * setting->node.nic_efficiency));
  row.ranks = 15;
  CHECK_FALSE(setting_of(row, shipped_registry()));
  // Of all machines with 8 H100 and 3,200 Gbit/s the first is taken, unless the fabric names one,
  // by its type or by what its NICs speak.
  row.gpu = "H100-SXM5-80GB";
  row.ranks = 16;
  row.nic_gbps_per_node = 3200;
  CHECK(setting_of(row, shipped_registry())->node.name == "dgx-h100");
  row.fabric = "EFA 3200 Gbps/node (p5.48xlarge)";
  CHECK(setting_of(row, shipped_registry())->node.name == "p5.48xlarge");
  row.fabric = "efa";
  CHECK(setting_of(row, shipped_registry())->node.name == "p5.48xlarge");
  row.fabric = "GPUDirect-TCPX 4x200 Gbps/node";
  CHECK(setting_of(row, shipped_registry())->node.name == "a3-highgpu-8g");
  row.fabric = "efabric (p55)";
  CHECK(setting_of(row, shipped_registry())->node.name == "dgx-h100");
}

TEST_CASE("published kernels are met within 10 % in the median, on each GPU and each operation") {
  const std::string text = published("kernels.csv");
  if (text.empty()) return;
  const auto table = base::parse_csv(text, "kernels.csv");
  REQUIRE(table);
  const auto rows = read_kernel_rows(*table);
  REQUIRE(rows);
  const auto score = validate_kernels(*rows, shipped_registry(), hardware_folder);
  REQUIRE(score);
  CHECK(score->all.median_ape < 0.10);
  CHECK(score->unexpressed.size() < rows->size() / 20);
  for (const std::string kind : {"gpu", "op", "precision", "regime"})
    for (const auto& [name, figures] : score->by.at(kind)) {
      INFO(kind << " " << name);
      CHECK(figures.median_ape < 0.10);
    }
}

TEST_CASE("sweeps are played setting by setting and compared row by row") {
  const auto table = base::parse_csv(
      "id,source,collective,gpu,n_gpus,n_nodes,nic_gbps_per_node,size_bytes,time_us\n"
      "a,s,all_reduce,H100-SXM5-80GB,8,1,,33554432,200\n"
      "b,s,all_gather,H100-SXM5-80GB,8,1,,1024,20\n"
      "c,s,all_reduce,H100-SXM5-80GB,16,2,3200,1073741824,5000\n"
      "d,s,all_shuffle,H100-SXM5-80GB,8,1,,1024,20\n"
      "e,s,all_reduce,H100-SXM5-80GB,15,2,,1024,20\n"
      "f,s,all_reduce,H100-SXM5-80GB,8,1,,1024,0\n",
      "c.csv");
  REQUIRE(table);
  const auto rows = read_collective_rows(*table);
  REQUIRE(rows);
  std::vector<std::string> asked;
  const base::Score score = validate_collectives(
      *rows, shipped_registry(),
      [&](const CollectiveSetting& setting, std::span<const CollectiveRow* const> of) {
        for (const CollectiveRow* row : of)
          asked.push_back(row->id + ":" + std::to_string(setting.nodes) + "x" +
                          std::to_string(setting.ranks_per_node));
        return std::vector<Duration>(of.size(), Duration{base::Seconds::from_us(100), 0.1});
      });
  CHECK(asked == std::vector<std::string>{"a:1x8", "b:1x8", "c:2x8"});
  REQUIRE(score.results.size() == 3);
  CHECK(score.unexpressed.size() == 3);
  CHECK(score.results[0].predicted == Approx(100e-6));
  CHECK(score.results[0].classes.at("from 16 MiB, collective") == "all_reduce");
  CHECK(score.results[1].classes.at("size") == "2: 1 to 10 kB");
  CHECK(score.results[1].classes.count("from 16 MiB, collective") == 0);
  CHECK(score.results[2].classes.at("machine") == "2 x 8 x H100-SXM5-80GB, 3200 Gbit/s a node");
}

}  // namespace
}  // namespace calibrate
