#pragma once

#include <map>
#include <string>
#include <tuple>
#include <vector>

#include "topology/cluster.hpp"

/// What a drawing of a cluster shows, before it is written in some language: units, the boxes they
/// are folded into, and bundles of cables. Internal to the module.
namespace viz {

/// What is drawn as one thing before folding: a device, or a node with all inside it.
struct Unit {
  bool is_node = false;
  topology::DeviceKind kind = topology::DeviceKind::gpu;  ///< unless a node
  int node = -1;  ///< index, of nodes and of devices inside one
  int rail = -1;
  std::string title;
};

/// Equal parallel cables between two units or boxes, the lower index first.
struct Bundle {
  int cables = 0;
  double busiest = 0;
  double sum = 0;  ///< of utilisations, for the mean
};
using BundleKey = std::tuple<int, int, double>;  ///< ends and rate of one cable in GB/s
using Bundles = std::map<BundleKey, Bundle>;

struct Picture {
  bool devices = false;  ///< every device is a unit
  std::vector<Unit> units;
  std::vector<int> unit_of;  ///< by device
  Bundles bundles;
};

/// Level from the top of the drawing.
int level_of(const Unit& unit);

/// Devices or, in larger clusters, nodes and switches as units, with their bundles. Utilisation is
/// by link and may be empty; a cable counts by its busier direction.
Picture take_picture(const topology::Cluster& cluster, const std::vector<double>& utilisation);

/// The box of each unit: its own when there are few, else folded as little as keeps boxes few.
std::vector<int> boxes_of(const topology::Cluster& cluster, const Picture& picture);

/// The lines between boxes.
Bundles folded_bundles(const Picture& picture, const std::vector<int>& box_of);

}  // namespace viz
