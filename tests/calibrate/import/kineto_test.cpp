#include "calibrate/import/kineto.hpp"

#include "tests/calibrate/import/support.hpp"

namespace calibrate {
namespace {

using base::Collective;
using base::DType;

/// One operator, the call that launches its kernel, and the kernel.
std::string launched(int id, const std::string& op, const std::string& args, double time_us,
                     const std::string& kernel = "nvjet_tst_128x256") {
  const std::string number = std::to_string(id);
  return R"({"ph":"X","cat":"cpu_op","name":")" + op +
         R"(","ts":1,"dur":9,"args":{"External id":)" + number + args + "}},\n" +
         R"({"ph":"X","cat":"kernel","name":")" + kernel + R"(","ts":2,"dur":)" +
         std::to_string(time_us) + R"(,"args":{"External id":)" + number + "}},\n";
}

std::string shapes(const std::string& dims, const std::string& types,
                   const std::string& values = "") {
  return R"(,"Input Dims":)" + dims + R"(,"Input type":)" + types +
         (values.empty() ? "" : R"(,"Concrete Inputs":)" + values);
}

std::string collective(const std::string& name, int in, int out, double time_us) {
  return R"({"ph":"X","cat":"kernel","name":"ncclDevKernel_X","ts":2,"dur":)" +
         std::to_string(time_us) + R"(,"args":{"Collective name":")" + name +
         R"(","In msg nelems":)" + std::to_string(in) + R"(,"Out msg nelems":)" +
         std::to_string(out) + R"(,"Group size":4,"dtype":"BFloat16","Process Group Ranks":)" +
         R"("[0, 2, 4, 6]"}},)" + "\n";
}

/// A trace on one line a event; the first event is on line 4.
std::string trace(const std::string& events) {
  return "{\"schemaVersion\":1,\"deviceProperties\":[{\"id\":0,\"name\":\"NVIDIA H100 80GB "
         "HBM3\"}],\n"
         "\"distributedInfo\":{\"backend\":\"nccl\",\"rank\":0,\"world_size\":8,"
         "\"nccl_version\":\"2.21.5\"},\n\"traceEvents\":[\n" +
         events + R"({"ph":"i","cat":"x","name":"end","ts":3}]})" + "\n";
}

const std::string bf16_pair = R"(["c10::BFloat16","c10::BFloat16"])";

TEST_CASE("kernels of a trace are matched to their operators") {
  const std::string product = shapes("[[16,64],[64,32]]", bf16_pair);
  const Imported all = imported(
      import_kineto,
      trace(
          launched(1, "aten::mm", product, 5) + launched(2, "aten::mm", product, 7) +
          // Two kernels of one call: split K, and the sum of its parts.
          launched(3, "aten::addmm",
                   shapes("[[32],[16,64],[64,32]]", R"(["float","float","float"])"), 8) +
          R"({"ph":"X","cat":"gpu_memcpy","name":"Memcpy HtoD","ts":2,"dur":75},)"
          R"({"ph":"X","cat":"kernel","name":"tf32_sum","ts":2,"dur":2,"args":{"correlation":77}},)"
          R"({"ph":"X","cat":"cuda_runtime","name":"cudaLaunchKernel","ts":2,"dur":2,)"
          R"("args":{"correlation":77,"External id":3}},)"
          "\n" +
          launched(4, "aten::bmm", shapes("[[3,16,64],[3,64,32]]", bf16_pair), 4) +
          launched(5, "aten::linear",
                   shapes("[[2,8,64],[32,64],[]]", R"(["c10::Half","c10::Half",""])"), 3) +
          launched(6, "aten::cat", "", 100) +
          R"({"ph":"X","cat":"kernel","name":"lonely","ts":2,"dur":50,"args":{}},)"));
  CHECK(text_of(all.notes) ==
        "log: note: 1 times, 100 us not matched: aten::cat: no kernel of ours stands for it\n"
        "log: note: 1 times, 75 us not matched: gpu_memcpy\n"
        "log: note: 1 times, 50 us not matched: kernels without an operator\n");
  REQUIRE(all.runs.size() == 1);
  CHECK(all.runs[0].run.tool == "pytorch");
  const std::vector<KernelRecord>& records = all.runs[0].kernels;
  REQUIRE(records.size() == 4);
  CHECK(std::get<base::Gemm>(records[0].kernel) == base::Gemm{16, 32, 64});
  CHECK(records[0].device == "NVIDIA H100 80GB HBM3");
  CHECK(records[0].library == "cuBLAS");
  CHECK(records[0].times.samples == std::vector<double>{us(5), us(7)});
  CHECK(records[0].times.mean == Approx(us(6)));
  CHECK(records[0].line == 5);
  CHECK(std::get<base::Gemm>(records[1].kernel) ==
        base::Gemm{16, 32, 64, 1, DType::tf32, DType::fp32});
  CHECK(records[1].times.mean == Approx(us(10)));
  CHECK(std::get<base::Gemm>(records[2].kernel) == base::Gemm{16, 32, 64, 3});
  CHECK(std::get<base::Gemm>(records[3].kernel) ==
        base::Gemm{16, 32, 64, 1, DType::fp16, DType::fp16});
}

TEST_CASE("attention, norms, copies and Adam of a trace") {
  const std::string three = R"(["c10::BFloat16","c10::BFloat16","c10::BFloat16"])";
  const std::string heads = "[[2,8,1024,64],[2,4,1024,64],[2,4,1024,64]]";
  const std::string tokens = "[[2,1024,8,64],[2,1024,8,64],[2,1024,4,64],[2,1024,4,64]]";
  const std::string forward = R"(["","","","0.","True"])";
  const std::string backward = R"(["","","","","","","","","1024","1024","0.","False"])";
  const Imported all = imported(
      import_kineto,
      trace(launched(1, "aten::_scaled_dot_product_flash_attention", shapes(heads, three, forward),
                     9) +
            launched(
                2, "aten::_flash_attention_backward",
                shapes(tokens, R"(["","c10::BFloat16","c10::BFloat16","c10::BFloat16"])", backward),
                20) +
            launched(3, "aten::_scaled_dot_product_cudnn_attention", shapes(heads, three), 9) +
            launched(4, "aten::_fused_rms_norm", shapes("[[2,1024,512]]", bf16_pair), 3) +
            launched(5, "aten::copy_", shapes("[[10,20],[10,20]]", R"(["c10::BFloat16","float"])"),
                     2) +
            launched(6, "aten::_fused_adamw_",
                     shapes("[[[10,20],[300]],[[10,20],[300]]]", R"(["TensorList","TensorList"])"),
                     4) +
            launched(7, "aten::add", shapes("[[10,20],[1]]", bf16_pair), 1)));
  CHECK(
      text_of(all.notes) ==
      "log: note: 1 times, 9 us not matched: aten::_scaled_dot_product_cudnn_attention: the trace "
      "does not say whether it is causal\n"
      "log: note: 1 times, 1 us not matched: aten::add: it is no sum of two tensors of one "
      "shape\n");
  const std::vector<KernelRecord>& records = all.runs.at(0).kernels;
  REQUIRE(records.size() == 5);
  base::Attention attention;
  attention.batch = 2;
  attention.seq_q = attention.seq_kv = 1024;
  attention.q_heads = 8;
  attention.kv_heads = 4;
  attention.head_dim = attention.value_dim = 64;
  CHECK(std::get<base::Attention>(records[0].kernel) == attention);
  attention.causal = false;
  attention.backward = true;
  CHECK(std::get<base::Attention>(records[1].kernel) == attention);
  // 2048 rows of 512 elements of 2 bytes, read and written.
  CHECK(records[2].kind == "norm");
  CHECK(records[2].rows == 2048);
  CHECK(records[2].columns == 512);
  CHECK(std::get<base::MemoryBound>(records[2].kernel).bytes == base::Bytes::from_mib(4));
  CHECK(records[3].kind == "cast");
  CHECK(std::get<base::MemoryBound>(records[3].kernel).bytes == base::Bytes::from_count(1200));
  // 500 weights, 7 numbers of 4 bytes each.
  CHECK(records[4].kind == "adam");
  CHECK(records[4].columns == 500);
  CHECK(std::get<base::MemoryBound>(records[4].kernel).bytes == base::Bytes::from_count(14000));
}

TEST_CASE("collectives of a trace") {
  const std::string text =
      trace(collective("allreduce", 1024, 1024, 50) + collective("allreduce", 1024, 1024, 60) +
            collective("_allgather_base", 256, 1024, 30) +
            collective("reduce_scatter_tensor", 1024, 256, 40) +
            collective("alltoallv", 1024, 1024, 20) + collective("wait", 1, 1, 5));
  ImportOptions options;
  options.nodes = 2;
  const Imported all = imported(import_kineto, text, options);
  CHECK(text_of(all.notes) == "log: note: 1 times, 5 us not matched: NCCL kernels of 'wait'\n");
  const std::vector<CollectiveRecord>& records = all.runs.at(0).collectives;
  REQUIRE(records.size() == 4);
  // Ranks 0, 2, 4 and 6 of 8 on 2 nodes: two on each.
  CHECK(records[0].placement == Placement{4, 2, 2, 1, 2, 1});
  CHECK(records[0].library_version == "2.21.5");
  CHECK(records[0].dtype == "bfloat16");
  CHECK(records[0].bytes == base::Bytes::from_count(2048));
  CHECK(records[0].times.samples == std::vector<double>{us(50), us(60)});
  for (const std::size_t i : {1U, 2U, 3U}) {  // 256 elements of 2 bytes for each of 4 ranks
    CHECK(records[i].count == 256);
    CHECK(records[i].bytes == base::Bytes::from_count(2048));
  }
  CHECK(records[1].op == Collective::all_gather);
  CHECK(records[2].op == Collective::reduce_scatter);
  CHECK(records[3].op == Collective::all_to_all);
  CHECK(mistakes(import_kineto, text) ==
        "log:4: error: the file does not say how many nodes there are (give it: --nodes N)\n");
}

TEST_CASE("damaged traces give all mistakes and no record") {
  CHECK(mistakes(import_kineto,
                 trace(launched(1, "aten::mm", shapes("[[16,64],[64,32]]", bf16_pair), -5) +
                       R"({"ph":"X","cat":"kernel","name":"k","ts":2},)")) ==
        "log:5:66: error: \"dur\" is no number from 0\n"
        "log:6:1: error: no \"dur\" here (known: ph, cat, name, ts)\n");
  CHECK(mistakes(import_kineto, trace("")) ==
        "log: error: it has no kernel of a device (profile with ProfilerActivity.CUDA and "
        "record_shapes=True)\n");
  CHECK(mistakes(import_kineto, trace("").substr(0, 150)).find("log:") == 0);
}

}  // namespace
}  // namespace calibrate
