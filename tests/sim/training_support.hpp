#pragma once

#include <array>
#include <initializer_list>
#include <map>
#include <string>
#include <string_view>
#include <utility>

/// Tables of made-up training steps.
namespace sim::training {

using Cells = std::map<std::string, std::string>;

inline constexpr std::array<std::string_view, 50> columns{"id",
                                                          "group",
                                                          "source",
                                                          "framework",
                                                          "model",
                                                          "layers",
                                                          "hidden",
                                                          "heads",
                                                          "kv_heads",
                                                          "head_dim",
                                                          "ffn",
                                                          "activation",
                                                          "gated",
                                                          "vocab",
                                                          "tied_embeddings",
                                                          "seq_len",
                                                          "attention",
                                                          "experts",
                                                          "experts_per_token",
                                                          "expert_ffn",
                                                          "shared_experts",
                                                          "dense_layers",
                                                          "gpu",
                                                          "n_gpus",
                                                          "gpus_per_node",
                                                          "nic_gbps_per_node",
                                                          "measured_busbw_gbps",
                                                          "precision",
                                                          "tp",
                                                          "pp",
                                                          "vp",
                                                          "cp",
                                                          "ep",
                                                          "etp",
                                                          "dp",
                                                          "zero",
                                                          "sequence_parallel",
                                                          "schedule",
                                                          "micro_batch",
                                                          "global_batch",
                                                          "recompute",
                                                          "flash_attention",
                                                          "overlap",
                                                          "outcome",
                                                          "step_time_s",
                                                          "tokens_per_s_per_gpu",
                                                          "peak_memory_gib",
                                                          "memory_kind",
                                                          "trust",
                                                          "note"};

/// A small GPT of Megatron on one node of A100, with everything stated.
inline Cells gpt(const std::string& id) {
  return {{"id", id},
          {"source", "made up"},
          {"framework", "Megatron-LM"},
          {"model", "GPT 2x1024"},
          {"layers", "2"},
          {"hidden", "1024"},
          {"heads", "16"},
          {"kv_heads", "16"},
          {"head_dim", "64"},
          {"ffn", "4096"},
          {"activation", "gelu"},
          {"gated", "0"},
          {"vocab", "50257"},
          {"tied_embeddings", "1"},
          {"seq_len", "1024"},
          {"attention", "mha"},
          {"gpu", "A100-SXM4-80GB"},
          {"n_gpus", "8"},
          {"gpus_per_node", "8"},
          {"precision", "fp16"},
          {"tp", "2"},
          {"pp", "1"},
          {"vp", "1"},
          {"cp", "1"},
          {"dp", "4"},
          {"zero", "0"},
          {"sequence_parallel", "0"},
          {"schedule", "none"},
          {"micro_batch", "4"},
          {"global_batch", "32"},
          {"recompute", "none"},
          {"flash_attention", "0"},
          {"overlap", "none"},
          {"outcome", "ok"},
          {"step_time_s", "0.1"},
          {"trust", "high"}};
}

inline Cells with(Cells cells, const Cells& changes) {
  for (const auto& [column, text] : changes) cells[column] = text;
  return cells;
}

inline std::string csv_of(std::initializer_list<Cells> rows) {
  std::string text;
  const auto add = [&text](std::string_view column, std::string_view value) {
    const bool quoted = value.find(',') != std::string_view::npos;
    if (column != columns.front()) text += ',';
    if (quoted) text += '"';
    text += value;
    if (quoted) text += '"';
  };
  for (const std::string_view column : columns) add(column, column);
  for (const Cells& row : rows) {
    text += '\n';
    for (const std::string_view column : columns) {
      const auto cell = row.find(std::string(column));
      add(column, cell == row.end() ? std::string_view() : std::string_view(cell->second));
    }
  }
  text += '\n';
  return text;
}

}  // namespace sim::training
