// Attention as cuDNN's engines take it: planned, compiled and not run, for GPUs that are described.

#include "calibrate/runtime/cuda/attention_graph.hpp"

#include <fmt/format.h>

#include <string>
#include <utility>

#include "calibrate/runtime/failure.hpp"
#include "tests/support/catch.hpp"

/// cuDNN keeps what it compiled until the end: no leak of ours.
extern "C" const char* __lsan_default_options() { return "detect_leaks=0"; }

namespace calibrate::runtime::cuda::dnn {
namespace {

struct Gpu {
  const char* name;
  int capability;  ///< 900 for 9.0
  int processors;
  int shared_memory;  ///< bytes that a block can ask for
};

const Gpu a100{"NVIDIA A100-SXM4-80GB", 800, 108, 166912};
const Gpu h200{"NVIDIA H200", 900, 132, 232448};
const Gpu b200{"NVIDIA B200", 1000, 148, 232448};

/// As cuDNN itself writes a device down.
Descriptor described(const Gpu& gpu) {
  return device_from(fmt::format(
      R"({{"cudnn_version":{},"deviceName":"{}","deviceVer":{},"multiProcessorCount":{},)"
      R"("maxSharedMemoryPerBlockOptin":{},"maxGridSize":[2147483647,65535,65535],)"
      R"("maxBlockSize":[1024,1024,64],"regsPerBlock":65536,"warpSize":32,)"
      R"("maxSharedMemoryPerBlock":49152,"reservedSharedMemoryPerBlock":1024,)"
      R"("maxRegistersPerSM":65536,"maxCtasPerSM":32,"maxThreadsPerBlock":1024,)"
      R"("maxThreadsPerSM":2048,"pciDeviceId":0,"isTccDriver":0,"supportCoopLaunch":1,)"
      R"("totalGlobalMem":85899345920,"smClockRateKHz":1980000,"memClockRateKHz":2619000,)"
      R"("l2CacheSize":52428800,"cudaDeviceId":0,"driverVer":13000}})",
      cudnnGetVersion(), gpu.name, gpu.capability, gpu.processors, gpu.shared_memory));
}

/// Llama's: 8 of 32 heads for keys and values, 128 wide.
foreshard_kernel attention(bool backward) {
  foreshard_kernel kernel{};
  kernel.kind = "attention";
  kernel.dtype = "bf16";
  kernel.flash = 1;
  kernel.causal = 1;
  kernel.backward = backward ? 1 : 0;
  kernel.sequences = 2;
  kernel.seq_q = kernel.seq_kv = 4096;
  kernel.q_heads = 32;
  kernel.kv_heads = 8;
  kernel.head_dim = kernel.value_dim = 128;
  return kernel;
}

/// The plan that cuDNN thinks best; its kernel is compiled, which takes a second.
Plan plan(const foreshard_kernel& kernel, const Gpu& gpu) {
  const AttentionGraph made = attention_graph(kernel);
  auto plans = plans_of(made.graph.finished(), described(gpu), 1);
  REQUIRE(plans.size() == 1);
  return std::move(plans.front());
}

/// Bytes of all scores in fp32: what would go through memory if they were not kept inside.
std::int64_t scores_of(const foreshard_kernel& kernel) {
  return kernel.sequences * kernel.q_heads * kernel.seq_q * kernel.seq_kv * 4;
}

TEST_CASE("cuDNN plans attention as one fused kernel, forward and backward") {
  for (const auto& [gpu, backward] : {std::pair(h200, false), std::pair(h200, true),
                                      std::pair(a100, true), std::pair(b200, true)}) {
    INFO(gpu.name << " backward " << backward);
    const foreshard_kernel kernel = attention(backward);
    CHECK(plan(kernel, gpu).workspace() < scores_of(kernel) / 10);
  }
}

TEST_CASE("attention of other shapes and types is planned, too") {
  foreshard_kernel kernel = attention(true);
  kernel.seq_q = kernel.seq_kv = 1024;
  SECTION("as many heads for keys as for queries") { kernel.kv_heads = 32; }
  SECTION("fp16 of 64") {
    kernel.dtype = "fp16";
    kernel.head_dim = kernel.value_dim = 64;
  }
  SECTION("every query sees every key, and there are fewer keys") {
    kernel.causal = 0;
    kernel.seq_kv = 512;
  }
  SECTION("multi-head latent attention") {
    kernel.kv_heads = 32;
    kernel.head_dim = 192;
  }
  CHECK(plan(kernel, h200).workspace() < scores_of(kernel));
}

TEST_CASE("a graph has the tensors of attention, by value what masks and scales") {
  foreshard_kernel kernel = attention(false);
  const AttentionGraph forward = attention_graph(kernel);
  REQUIRE(forward.operands.size() == 5);  // Q, K, V, O and the rows' sums
  CHECK(forward.operands[0].elements == 2 * 32 * 4096 * 128);
  CHECK(forward.operands[1].elements == 2 * 8 * 4096 * 128);
  CHECK(forward.operands[4].elements == 2 * 32 * 4096);
  CHECK(forward.operands[4].element == Element::fp32);
  CHECK(forward.scale != 0);
  CHECK(forward.minus_infinity != 0);
  CHECK(forward.one == 0);
  kernel.causal = 0;
  CHECK(attention_graph(kernel).minus_infinity == 0);
  kernel.backward = 1;
  const AttentionGraph backward = attention_graph(kernel);
  CHECK(backward.operands.size() == 11);
  CHECK(backward.one != 0);
}

TEST_CASE("attention that the graph does not express is refused in words") {
  const auto refusal = [](auto change) {
    foreshard_kernel kernel = attention(false);
    change(kernel);
    std::string error = "none";
    guarded(error, [&] { attention_graph(kernel); });
    return error;
  };
  CHECK(refusal([](auto&) {}) == "none");
  CHECK(refusal([](auto& k) { k.flash = 0; }) == "cuDNN's attention is fused, scores stay inside");
  CHECK(refusal([](auto& k) { k.window = 128; }) == "no attention with a window here");
  CHECK(refusal([](auto& k) { k.seq_q = 1; }) == "no causal attention of 1 tokens to 4096 here");
  CHECK(refusal([](auto& k) { k.kv_heads = 5; }) == "32 query heads cannot share 5");
  CHECK(refusal([](auto& k) { k.sequences = 0; }) ==
        "no attention without tokens, heads or their width");
  CHECK(refusal([](auto& k) { k.dtype = "fp8"; }) ==
        "cuDNN's fused attention is for fp16 and bf16");
}

}  // namespace
}  // namespace calibrate::runtime::cuda::dnn
