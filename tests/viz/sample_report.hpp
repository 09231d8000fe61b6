#pragma once

#include "sim/report.hpp"

/// A report made by hand: Llama-3.1-8B on 16 GPUs, parts that add up to 1.25 s.
inline sim::Report sample_report() {
  using base::Bytes;
  using base::BytesPerSecond;
  using base::Seconds;
  sim::Report report;
  report.scenario = "scenarios/llama8b_16gpu.yaml";
  report.fidelity = sim::Fidelity::hybrid;
  report.ranks = 16;
  report.model = "Llama-3.1-8B, 8.03 B parameters";
  report.cluster = "2 x dgx-h100 (16 x H100-SXM5-80GB), rail-optimised";
  report.plan = "tp 4, pp 2, dp 2 (ZeRO-1), 1F1B, micro-batch 1 x 32";
  report.step = Seconds::from_ms(1250);
  report.step_p10 = Seconds::from_ms(1200);
  report.step_p90 = Seconds::from_ms(1310);
  report.lower_bound = Seconds::from_ms(1180);
  report.tokens = 64LL * 8192;
  report.tokens_per_s = 419430.4;  // 524,288 tokens / 1.25 s
  report.tokens_per_s_per_gpu = 26214.4;
  report.model_tflops_per_gpu = 421.5;
  report.mfu = 0.426;
  report.hfu = 0.451;
  report.memory.peak = Bytes::from_gib(61.5);
  report.memory.capacity = Bytes::from_gib(80);
  report.memory.worst_rank = 3;
  const auto part = [&report](sim::MemoryPart which) -> Bytes& {
    return report.memory.parts[static_cast<std::size_t>(which)];
  };
  part(sim::MemoryPart::weights) = Bytes::from_gib(3.75);
  part(sim::MemoryPart::gradients) = Bytes::from_gib(7.5);
  part(sim::MemoryPart::master_weights) = Bytes::from_gib(3.75);
  part(sim::MemoryPart::optimizer) = Bytes::from_gib(7.5);
  part(sim::MemoryPart::activations) = Bytes::from_gib(30);
  part(sim::MemoryPart::logits) = Bytes::from_gib(3.25);
  part(sim::MemoryPart::buffers) = Bytes::from_gib(1.25);
  part(sim::MemoryPart::communicators) = Bytes::from_gib(0.75);
  part(sim::MemoryPart::framework) = Bytes::from_gib(0.75);
  part(sim::MemoryPart::fragmentation) = Bytes::from_gib(3);
  report.memory.moment = {Seconds::from_ms(500), 0.4, "begin of backward chunk 0, micro-batch 1",
                          "compute"};
  report.memory.alive = {{sim::MemoryPart::activations, "layer", Bytes::from_gib(30)}};
  report.memory.stages = {
      {"stage 0", 0, Bytes::from_gib(50), Bytes::from_gib(52), Bytes::from_gib(53.5)},
      {"stage 1", 3, Bytes::from_gib(57), Bytes::from_gib(60), Bytes::from_gib(61.5)}};
  report.memory.curve = {{0.0, Bytes::from_gib(25.25)}, {0.5, Bytes::from_gib(61.5)}};
  report.breakdown.forward = Seconds::from_ms(360);
  report.breakdown.backward = Seconds::from_ms(610);
  report.breakdown.recompute = Seconds::from_ms(58);
  report.breakdown.tensor_exposed = Seconds::from_ms(120);
  report.breakdown.data_exposed = Seconds::from_ms(22);
  report.breakdown.pipeline_exposed = Seconds::from_ms(3.5);
  report.breakdown.bubble = Seconds::from_ms(62.5);
  report.breakdown.optimizer = Seconds::from_ms(13.9);
  report.breakdown.slowed = Seconds::from_ms(0.06);
  report.breakdown.other = Seconds::from_ms(0.04);
  report.critical_path = {{"backward", "stage 0", 33, Seconds::from_ms(700), {}},
                          {"forward", "stage 0", 33, Seconds::from_ms(400), {}},
                          {"tensor", "stage 1", 8, Seconds::from_ms(140), Seconds::from_ms(20)},
                          {"pipeline", "stage 1", 2, Seconds::from_ms(10), {}}};
  report.what_if = {{"kernels 10 % faster", Seconds::from_ms(1150)},
                    {"links inside nodes twice as fast", Seconds::from_ms(1200)},
                    {"no latency between nodes", Seconds::from_ms(1249)},
                    {"launches that cost nothing", Seconds::from_ms(1250)}};
  report.links = {
      {"node-1/nic-0 -> leaf-0", Bytes::from_gib(6.5), BytesPerSecond::from_gbit(400), 0.112, 0.2,
       Seconds::from_ms(31), 15},
      {"leaf-0 -> spine-1", Bytes::from_gib(3.2), BytesPerSecond::from_gbit(400), 0.055}};
  report.sources = {{"H100-SXM5-80GB GEMM curve (1,026 points)", 0.81, 0.03},
                    {"NCCL tuning model 2.21", 0.19, 0.12}};
  report.measured = sim::Measured{base::Seconds::from_s(1.28), "table 5 of a paper"};
  report.binding_link = "node-1/nic-0 -> leaf-0 binds: asked for more than that";
  report.ranks_played = 4;
  report.sm_share = 0.12;
  report.memory_share = 0.05;
  report.held_up = base::Seconds::from_ms(3);
  report.bottleneck = "matrix products: 78 % of the step is compute on the busiest stage";
  report.diagnostics = {{{"scenarios/llama8b_16gpu.yaml", 12, 5},
                         "'bucket' is below 25 MiB: gradient reduction is bound by latency",
                         "raise it",
                         base::Severity::warning},
                        {{"scenarios/llama8b_16gpu.yaml"},
                         "NIC rate taken from the node type",
                         "",
                         base::Severity::note}};
  return report;
}

/// The same plan with sequences too long for the GPU.
inline sim::Report oversized_report() {
  sim::Report report = sample_report();
  report.memory.peak = base::Bytes::from_gib(92.5);
  report.memory.parts[static_cast<std::size_t>(sim::MemoryPart::activations)] =
      base::Bytes::from_gib(61);
  report.memory.fits = false;
  report.memory.advice = "full recompute frees 51.2 GiB of activations; tensor 8 frees 36 GiB";
  return report;
}
