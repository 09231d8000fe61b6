#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/csv.hpp"

/// Training steps that others measured, as scenarios of ours, and how far forecasts lie from them.
namespace sim::training {

/// One measured step of a published table, as it stands there; an empty cell is nothing. The README
/// of the table describes the columns.
struct Row {
  std::string id;
  std::string group;  ///< rows that differ in their plan only; empty: none
  std::string source;
  std::string framework;
  std::string model;
  std::optional<int> layers, hidden, heads, kv_heads, head_dim, ffn;
  std::string activation;  ///< gelu, swiglu, geglu, relu2
  std::optional<bool> gated;
  std::optional<int> vocab;
  std::optional<bool> tied_embeddings;
  std::optional<int> sequence;  ///< tokens
  std::string attention;        ///< mha, gqa, mla
  std::optional<int> experts, experts_per_token, expert_ffn, shared_experts, dense_layers;
  std::string gpu;
  std::optional<int> gpus, gpus_per_node;
  std::optional<double> nic_gbit;             ///< Gbit/s, one direction, all NICs of a node
  std::optional<double> measured_busbw_gbit;  ///< Gbit/s, 1 GiB all-reduce over all GPUs
  std::string precision;
  std::optional<int> tensor, pipeline, virtual_stages, context, expert, expert_tensor, data, zero;
  std::optional<bool> sequence_parallel;
  std::string schedule;
  std::optional<int> micro_batch, global_batch;
  std::string recompute;
  std::optional<bool> flash_attention;
  std::string overlap;  ///< words: grad, param, tp, p2p; or "none"
  bool ran = true;      ///< false: out of memory
  std::optional<double> step_s;
  std::optional<double> peak_memory_gib;
  std::string memory_kind;  ///< allocated, reserved, nvidia-smi, unspecified
  /// A second peak, which stands in the note only: what the allocator of rank 0 had reserved.
  std::optional<double> noted_reserved_gib;
  std::string trust;  ///< high, medium, low
  std::string note;

  bool trusted() const { return trust != "low"; }
};

/// Rows of a table; columns that are not there and cells that do not read are mistakes.
base::Result<std::vector<Row>> read_rows(const base::Csv& table);

}  // namespace sim::training
