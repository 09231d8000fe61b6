#include "calibrate/transformer_layer.hpp"

#include <cstdint>
#include <limits>

#include "calibrate/validate_kernels.hpp"
#include "tests/calibrate/support.hpp"

namespace calibrate {
namespace {

double gemm_flop(const LayerWork& work) {
  double flop = 0;
  for (const base::Kernel& kernel : work.kernels)
    if (std::holds_alternative<base::Gemm>(kernel)) flop += base::flop_of(kernel).count();
  return flop;
}

TEST_CASE("the work of a layer, counted by hand") {
  // 4 x 2048 tokens of hidden 6144 over 8 GPUs. GEMMs: 2 * tokens * hidden^2 * (3 + 1 + 4 + 4) / 8,
  // backward twice that. Two all-reduces of 8192 x 6144 x 2 bytes.
  TransformerLayer layer{4, 2048, 64, 6144, 8};
  const LayerWork forward = work_of(layer);
  const double flop = 2.0 * 8192 * 6144 * 6144 * 12 / 8;
  CHECK(gemm_flop(forward) == Approx(flop));
  REQUIRE(forward.calls.size() == 2);
  CHECK(forward.calls[0].bytes.count() == 8192LL * 6144 * 2);
  layer.backward = true;
  CHECK(gemm_flop(work_of(layer)) == Approx(2 * flop));
  layer.full_recompute = true;
  CHECK(gemm_flop(work_of(layer)) == Approx(3 * flop));
  layer.full_recompute = false;
  layer.sequence_parallel = true;
  CHECK(work_of(layer).calls.size() == 6);  // gather, scatter, gather again; twice
}

TEST_CASE("a note says how the layer runs") {
  const auto layer = parse_layer_note(
      "transformer_layer backward: one layer of the 22B model, hidden 6144, tp 8, communication "
      "included; selective recompute + sequence parallelism");
  REQUIRE(layer);
  CHECK(layer->hidden == 6144);
  CHECK(layer->tensor == 8);
  CHECK((layer->backward && layer->selective_recompute && layer->sequence_parallel));
  CHECK_FALSE(layer->full_recompute);
  CHECK_FALSE(parse_layer_note("transformer_layer forward: hidden 6144"));
  CHECK_FALSE(parse_layer_note("transformer_layer forward: hidden 0, tp 8"));
}

TEST_CASE("a layer beyond all sense is as large as can be counted") {
  TransformerLayer layer;
  layer.batch = layer.sequence = 10'000'000;
  layer.heads = layer.hidden = 1'000'000;
  layer.tensor = 8;
  layer.sequence_parallel = true;
  for (const bool backward : {false, true}) {
    layer.backward = backward;
    const LayerWork work = work_of(layer);
    REQUIRE_FALSE(work.calls.empty());
    for (const LayerWork::Call& call : work.calls)
      CHECK(call.bytes.count() == std::numeric_limits<std::int64_t>::max());
    for (const base::Kernel& kernel : work.kernels)
      CHECK(base::bytes_of(kernel).count() == std::numeric_limits<std::int64_t>::max());
  }
}

TEST_CASE("layer times of Korthikanti et al. 2022, Table 4, are met within 8 %") {
  // Milliseconds, forward and backward, of a layer of the 22B model on 8 A100. Nothing is fitted on
  // them: GEMMs, unfused attention, memory-bound kernels and collectives add up.
  struct Row {
    const char* how;
    double forward_ms;
    double backward_ms;
  };
  for (const Row& row :
       {Row{"baseline no recompute", 7.7, 11.9}, Row{"sequence parallelism", 7.2, 11.8},
        Row{"full recompute", 7.7, 19.5}, Row{"selective recompute", 7.7, 13.2},
        Row{"selective recompute + sequence parallelism", 7.2, 13.1}}) {
    std::vector<KernelRow> rows(2);
    for (KernelRow& kernel : rows) {
      kernel.gpu = "A100-SXM4-80GB";
      kernel.library = "Megatron-LM";
      kernel.op = "other";
      kernel.dtype = "fp16";
      kernel.batch = 4;
      kernel.seq_len = 2048;
      kernel.q_heads = kernel.kv_heads = 64;
      kernel.head_dim = 96;
    }
    const std::string layer = std::string(": hidden 6144, tp 8; ") + row.how;
    rows[0].note = "transformer_layer forward" + layer;
    rows[0].time_us = row.forward_ms * 1e3;
    rows[1].note = "transformer_layer backward" + layer;
    rows[1].time_us = row.backward_ms * 1e3;
    const auto score = validate_kernels(rows, shipped_registry(), hardware_folder);
    REQUIRE(score);
    REQUIRE(score->results.size() == 2);
    INFO(row.how);
    for (const base::ScoredRow& result : score->results)
      CHECK(result.predicted == Approx(result.measured).epsilon(0.08));
  }
}

}  // namespace
}  // namespace calibrate
