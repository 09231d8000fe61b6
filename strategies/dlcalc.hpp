#pragma once

#include <optional>
#include <string>

#include "base/diagnostic.hpp"
#include "base/document.hpp"
#include "base/units.hpp"
#include "strategies/model.hpp"
#include "strategies/plan.hpp"

/// Reads the YAML of dlcalc (github.com/jfc4050/dlcalc, command `3dtrn`) unchanged.
namespace strategies {

/// Data centres in a ring that share the data-parallel groups.
struct CrossDataCenter {
  int centers = 1;
  base::BytesPerSecond bandwidth;  ///< between neighbours, all links together
  base::Seconds latency;           ///< one crossing
};

struct DlcalcInput {
  ModelSpec model;
  Plan plan;
  std::string node_type;  ///< an EC2 instance name
  base::SourceRef node_type_where;
  int gpus = 0;  ///< tp * cp * pp * dp
  int gradient_buckets = 0;
  std::optional<CrossDataCenter> cross_dc;
  base::Origins origins;    ///< paths "plan.…" and "model.…", as for our own scenarios
  base::Diagnostics notes;  ///< what foreshard models in another way, or not yet
};

/// Whether this is a dlcalc file: it has model.n_layers and hardware.node_type.
bool looks_like_dlcalc(const base::Document& document);

/// Unlike dlcalc, refuses unknown keys and values that make no sense, all at once.
base::Result<DlcalcInput> read_dlcalc(const base::Document& document);

}  // namespace strategies
