#include "viz/topology_picture.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>
#include <utility>

namespace viz {

namespace {

using topology::Cluster;
using topology::DeviceId;
using topology::DeviceKind;
using topology::LinkId;

/// Up to this many nodes every device is drawn.
constexpr std::size_t device_nodes_max = 2;
/// Up to this many nodes and switches each is a box of its own.
constexpr std::size_t single_boxes_max = 20;
/// With more boxes or lines than this after folding, fewer differences between them are respected.
constexpr std::size_t folded_max = 36;
Picture units_of(const Cluster& cluster, bool devices) {
  Picture picture;
  picture.devices = devices;
  picture.unit_of.assign(cluster.device_count(), -1);
  if (!devices)
    for (std::size_t i = 0; i < cluster.nodes().size(); ++i)
      picture.units.push_back(
          {true, DeviceKind::gpu, static_cast<int>(i), -1, cluster.nodes()[i].name});
  for (DeviceId id = 0; id < cluster.device_count(); ++id) {
    const topology::Device& device = cluster.device(id);
    if (!devices && device.node >= 0) {
      picture.unit_of[id] = device.node;
      continue;
    }
    picture.unit_of[id] = static_cast<int>(picture.units.size());
    std::string title = device.name;
    if (device.node >= 0) title = title.substr(title.rfind('/') + 1);  // the frame names the node
    if (device.kind == DeviceKind::leaf && device.rail >= 0)
      title += fmt::format("\\nrail {}", device.rail);
    picture.units.push_back({false, device.kind, device.node, device.rail, std::move(title)});
  }
  return picture;
}

/// Counts each cable once, by its first direction; utilisation is that of the busier direction.
void bundle_links(const Cluster& cluster, const std::vector<double>& utilisation,
                  Picture& picture) {
  const auto used = [&](LinkId id) { return id < utilisation.size() ? utilisation[id] : 0.0; };
  for (LinkId id = 0; id + 1 < cluster.link_count(); id += 2) {
    const topology::Link& link = cluster.link(id);
    const int a = picture.unit_of[link.from];
    const int b = picture.unit_of[link.to];
    if (a == b || link.down) continue;  // inside a node that is one box, or not in use
    Bundle& bundle = picture.bundles[{std::min(a, b), std::max(a, b), link.rate.gbyte()}];
    const double busiest = std::max(used(id), used(id + 1));
    ++bundle.cables;
    bundle.busiest = std::max(bundle.busiest, busiest);
    bundle.sum += busiest;
  }
}

/// Which differences between units the drawing respects.
struct Folding {
  bool rails = true;
  int rounds = 0;  ///< how often units are told apart by what they are joined to
};

/// Classes of units that the drawing need not tell apart: first by what they are, then in rounds by
/// what they are joined to, until nothing new is told apart (colour refinement).
std::vector<int> fold(const Cluster& cluster, const Picture& picture, Folding folding) {
  std::vector<int> colour;
  const auto number = [&](auto& seen, auto key) {
    return seen.emplace(std::move(key), static_cast<int>(seen.size())).first->second;
  };
  std::map<std::tuple<int, const topology::NodeType*, int>, int> kinds;
  for (const Unit& unit : picture.units) {
    const topology::NodeInfo* node =
        unit.is_node ? &cluster.nodes()[static_cast<std::size_t>(unit.node)] : nullptr;
    const int detail = node != nullptr ? node->gpus : folding.rails ? unit.rail : -1;
    colour.push_back(number(kinds, std::tuple(level_of(unit) * 8 + static_cast<int>(unit.kind),
                                              node != nullptr ? node->type : nullptr, detail)));
  }
  std::size_t classes = kinds.size();
  for (int round = 0; round < folding.rounds; ++round) {
    std::vector<std::map<std::pair<int, double>, int>> around(colour.size());
    for (const auto& [key, bundle] : picture.bundles) {
      const auto& [a, b, rate] = key;
      around[static_cast<std::size_t>(a)][{colour[static_cast<std::size_t>(b)], rate}] +=
          bundle.cables;
      around[static_cast<std::size_t>(b)][{colour[static_cast<std::size_t>(a)], rate}] +=
          bundle.cables;
    }
    std::map<std::pair<int, std::map<std::pair<int, double>, int>>, int> seen;
    for (std::size_t i = 0; i < colour.size(); ++i)
      colour[i] = number(seen, std::pair(colour[i], std::move(around[i])));
    if (seen.size() == classes) break;
    classes = seen.size();
  }
  return colour;
}

/// Whether a folded drawing can be read: few boxes and lines, and no lines along a row, which cross
/// other boxes.
bool readable(const Picture& picture, const std::vector<int>& boxes) {
  std::map<int, int> level;
  for (std::size_t i = 0; i < boxes.size(); ++i) level[boxes[i]] = level_of(picture.units[i]);
  const Bundles folded = folded_bundles(picture, boxes);
  const bool along_row = std::any_of(folded.begin(), folded.end(), [&](const auto& one) {
    const auto& [a, b, rate] = one.first;
    return a != b && level.at(a) == level.at(b);
  });
  return !along_row && std::max(level.size(), folded.size()) <= folded_max;
}

}  // namespace

int level_of(const Unit& unit) {
  if (unit.is_node) return 5;
  switch (unit.kind) {
    case DeviceKind::core: return 0;
    case DeviceKind::spine: return 1;
    case DeviceKind::leaf: return 2;
    case DeviceKind::nic: return 3;
    case DeviceKind::pcie_switch: return 4;
    case DeviceKind::gpu: return 5;
    case DeviceKind::nvswitch: return 6;
  }
  return 6;
}

Picture take_picture(const Cluster& cluster, const std::vector<double>& utilisation) {
  Picture picture = units_of(cluster, cluster.nodes().size() <= device_nodes_max);
  bundle_links(cluster, utilisation, picture);
  return picture;
}

Bundles folded_bundles(const Picture& picture, const std::vector<int>& box_of) {
  Bundles folded;
  for (const auto& [key, bundle] : picture.bundles) {
    const int a = box_of[static_cast<std::size_t>(std::get<0>(key))];
    const int b = box_of[static_cast<std::size_t>(std::get<1>(key))];
    Bundle& into = folded[{std::min(a, b), std::max(a, b), std::get<2>(key)}];
    into.cables += bundle.cables;
    into.busiest = std::max(into.busiest, bundle.busiest);
    into.sum += bundle.sum;
  }
  return folded;
}

std::vector<int> boxes_of(const Cluster& cluster, const Picture& picture) {
  std::vector<int> boxes(picture.units.size());
  std::iota(boxes.begin(), boxes.end(), 0);
  if (picture.devices || boxes.size() <= single_boxes_max) return boxes;
  for (const Folding folding : {Folding{true, 1000}, {true, 2}, {true, 1}, {true, 0}, {false, 0}}) {
    boxes = fold(cluster, picture, folding);
    if (readable(picture, boxes)) break;
  }
  return boxes;
}

}  // namespace viz
