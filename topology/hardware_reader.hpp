#pragma once

#include <array>
#include <string>
#include <string_view>

#include "base/diagnostic.hpp"
#include "base/document.hpp"
#include "topology/hardware.hpp"

/// Reading of single hardware files; internal to the module.
namespace topology {

inline constexpr std::array<std::pair<std::string_view, ScaleUpKind>, 4> scale_up_names{{
    {"nvswitch", ScaleUpKind::nvswitch},
    {"mesh", ScaleUpKind::mesh},
    {"pcie", ScaleUpKind::pcie},
    {"none", ScaleUpKind::none},
}};

/// A description with the places of its words, for checks that need the whole registry.
template <class Spec>
struct FromFile {
  Spec spec;
  std::string file;
  base::Origins origins;
};

base::Result<FromFile<GpuSpec>> read_gpu_file(std::string_view yaml, const std::string& file);
base::Result<FromFile<NodeType>> read_node_file(std::string_view yaml, const std::string& file);

}  // namespace topology
