#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/csv.hpp"
#include "base/diagnostic.hpp"
#include "base/kernel.hpp"
#include "base/score.hpp"
#include "calibrate/calibrated_profile.hpp"
#include "calibrate/transformer_layer.hpp"
#include "topology/hardware.hpp"

namespace calibrate {

/// One measured kernel of a published table; the README of the table describes the columns.
struct KernelRow {
  std::string id;
  std::string source;
  std::string library;  ///< with its version: "trtllm 1.3.0rc20"
  std::string gpu;
  std::string op;
  std::string dtype;
  std::string note;
  std::string trust;
  double m = 0, n = 0, k = 0;
  double batch = 0, seq_len = 0, q_heads = 0, kv_heads = 0, head_dim = 0;
  bool causal = false;
  double time_us = 0;
};

/// Rows of a table; columns that are not there and cells that do not read are mistakes.
base::Result<std::vector<KernelRow>> read_kernel_rows(const base::Csv& table);

/// The kernels that a row measures together: one, or more where the library's call does more than
/// its name says. Otherwise the reason why it cannot be expressed.
struct KernelsOfRow {
  std::vector<base::Kernel> kernels;
  std::vector<LayerWork::Call> calls;  ///< collectives among `ranks` GPUs of one node
  int ranks = 1;
  std::string attention;  ///< library whose attention kernels ran; empty: the usual ones
  std::string unexpressed;
};
KernelsOfRow kernels_of(const KernelRow& row);

/// Prices every row with the profile of its GPU, with what calibrations know of it, and compares.
base::Result<base::Score> validate_kernels(const std::vector<KernelRow>& rows,
                                           const topology::HardwareRegistry& registry,
                                           const std::string& hardware_folder,
                                           const Calibrations& calibrations = nullptr);

}  // namespace calibrate
