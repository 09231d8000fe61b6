#include "topology/found_types.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>

#include "base/quantity.hpp"
#include "topology/found_cluster_names.hpp"
#include "topology/node_tally.hpp"

namespace topology {

namespace {

using base::BytesPerSecond;
using base::Severity;

/// Not worth a type of its own: the same NIC is called 100 and 103.125 Gbit/s.
bool alike(BytesPerSecond a, BytesPerSecond b) {
  return b > BytesPerSecond() && std::abs(a / b - 1) < 0.05;
}

bool carries_data(FabricRole role) {
  return role == FabricRole::unknown || role == FabricRole::compute;
}

/// NICs by which GPUs talk: those with a cable to the compute fabric, else those that a dump calls
/// so, else those nearest to a GPU until each GPU has one (the NIC of the host is as near to all of
/// them), else all that are not known to be for something else. Of several rates the one that
/// brings most in all: a slow NIC beside fast ones is for something else.
class ComputeNics {
 public:
  explicit ComputeNics(const FoundCluster& found) : found_(found), cabled_(found.nodes.size()) {
    for (const FoundCable& cable : found.cables) {
      note(cable.a, cable.b);
      note(cable.b, cable.a);
    }
  }

  std::vector<std::size_t> of(std::size_t node) const {
    const std::vector<FoundNic>& nics = found_.nodes[node].nics;
    const auto cabled = [&](const FoundNic& nic) {
      const auto& names = cabled_[node];
      return std::find(names.begin(), names.end(), name_of(nic)) != names.end();
    };
    std::vector<std::size_t> chosen = where(nics, cabled);
    if (chosen.empty())
      chosen = where(nics, [](const FoundNic& nic) { return nic.role == FabricRole::compute; });
    if (chosen.empty()) chosen = nearest(nics);
    if (chosen.empty())
      chosen = where(nics, [](const FoundNic& nic) { return carries_data(nic.role); });
    if (cabled_[node].empty()) keep_fastest(nics, chosen);  // a cable that runs slowly is one
    std::stable_sort(chosen.begin(), chosen.end(),
                     [&](std::size_t a, std::size_t b) { return nics[a].rail < nics[b].rail; });
    return chosen;
  }

 private:
  void note(const CableEnd& near, const CableEnd& far) {
    if (near.at != CableEnd::At::node || far.at != CableEnd::At::fabric_switch) return;
    if (carries_data(found_.switches[far.index].role)) cabled_[near.index].push_back(near.nic);
  }

  template <class Holds>
  static std::vector<std::size_t> where(const std::vector<FoundNic>& nics, Holds holds) {
    std::vector<std::size_t> chosen;
    for (std::size_t i = 0; i < nics.size(); ++i)
      if (holds(nics[i])) chosen.push_back(i);
    return chosen;
  }

  static std::vector<std::size_t> nearest(const std::vector<FoundNic>& nics) {
    std::set<int> all;
    std::set<std::size_t> widths;
    for (const FoundNic& nic : nics) {
      all.insert(nic.gpus.begin(), nic.gpus.end());
      if (!nic.gpus.empty() && carries_data(nic.role)) widths.insert(nic.gpus.size());
    }
    for (const std::size_t width : widths) {
      std::set<int> served;
      const auto near = [&](const FoundNic& nic) {
        return !nic.gpus.empty() && nic.gpus.size() <= width && carries_data(nic.role);
      };
      for (const FoundNic& nic : nics)
        if (near(nic)) served.insert(nic.gpus.begin(), nic.gpus.end());
      if (served == all) return where(nics, near);
    }
    return {};
  }

  static void keep_fastest(const std::vector<FoundNic>& nics, std::vector<std::size_t>& chosen) {
    std::map<double, double> brought;  // by rate
    for (const std::size_t nic : chosen) brought[nics[nic].rate.gbit()] += nics[nic].rate.gbit();
    if (brought.size() < 2) return;
    const double best = std::max_element(brought.begin(), brought.end(), [](auto& a, auto& b) {
                          return a.second < b.second;
                        })->first;
    std::erase_if(chosen, [&](std::size_t nic) { return nics[nic].rate.gbit() != best; });
  }

  const FoundCluster& found_;
  std::vector<std::vector<std::string>> cabled_;  ///< by node: names of NICs
};

class Typer {
 public:
  Typer(const FoundCluster& found, const HardwareRegistry& registry, const ImportOptions& options,
        ClusterSpec& spec, base::Diagnostics& problems)
      : found_(found),
        registry_(registry),
        options_(options),
        spec_(spec),
        problems_(problems),
        nics_(found) {}

  std::vector<TypedNode> run() {
    std::vector<TypedNode> typed;
    for (std::size_t i = 0; i < found_.nodes.size(); ++i)
      if (std::optional<TypedNode> node = type(i)) typed.push_back(std::move(*node));
    mistakes_.report(problems_);
    tally_.report(spec_.notes);
    return typed;
  }

 private:
  std::optional<TypedNode> type(std::size_t index) {
    const FoundNode& node = found_.nodes[index];
    const std::vector<std::size_t> nics = nics_.of(index);
    const NodeType* type = base_type(node, nics);
    if (type == nullptr) return std::nullopt;
    if (!options_.gpu.empty() && registry_.find_gpu(options_.gpu) != registry_.find_gpu(type->gpu))
      return leave_out(node, fmt::format("GPU is {}, not {}", type->gpu, options_.gpu));
    if (!node.unavailable.empty() && !options_.unavailable)
      return leave_out(node, node.unavailable);
    const int built = node.gpus >= 0 ? node.gpus : type->gpus;
    const int usable = std::min(node.usable_gpus >= 0 ? node.usable_gpus : built, type->gpus);
    if (usable == 0) return leave_out(node, "no usable GPU");
    return TypedNode{index, refined(node, *type, nics), usable, nics};
  }

  std::optional<TypedNode> leave_out(const FoundNode& node, std::string_view why) {
    tally_.add(node, Severity::note, fmt::format("left out ({})", why));
    return std::nullopt;
  }

  const NodeType* base_type(const FoundNode& node, const std::vector<std::size_t>& nics) {
    if (!node.type.empty()) {
      const NodeType* type = registry_.find_node(node.type);
      if (type == nullptr)
        mistakes_.add(node, Severity::error, fmt::format("of the unknown type '{}'", node.type),
                      base::suggest(node.type, registry_.node_names()));
      return type;
    }
    if (!node.gpu.empty() && node.gpus != 0) return nearest(node, nics);
    if (!options_.node_type.empty() && node.gpus != 0) {
      const NodeType* type = registry_.find_node(options_.node_type);
      if (type != nullptr)
        tally_.add(node, Severity::note,
                   fmt::format("of which no dump tells the GPUs, taken for {}", type->name));
      return type;
    }
    if (node.gpus != 0)
      tally_.add(node, Severity::warning, "left out: no dump tells which GPUs they have",
                 "say so with node_type, or add a dump of the nodes");
    else
      tally_.add(node, Severity::note, "without GPUs left out");
    return nullptr;
  }

  const NodeType* nearest(const FoundNode& node, const std::vector<std::size_t>& nics) {
    std::optional<BytesPerSecond> network;
    for (const std::size_t nic : nics)
      if (node.nics[nic].rate > BytesPerSecond())
        network = network.value_or(BytesPerSecond()) + node.nics[nic].rate;
    const NodeType* type = nearest_node_type(registry_, node.gpu, std::max(node.gpus, 1), network);
    if (type == nullptr)
      mistakes_.add(node, Severity::error,
                    fmt::format("with {} x {}, for which no node type is known",
                                std::max(node.gpus, 1), node.gpu),
                    "add one to scenarios/hardware/nodes");
    else
      tally_.add(
          node, Severity::note,
          fmt::format("with {} x {} taken for {}", std::max(node.gpus, 1), type->gpu, type->name));
    return type;
  }

  /// The type with what was found over it.
  const NodeType* refined(const FoundNode& node, const NodeType& type,
                          const std::vector<std::size_t>& nics) {
    NodeType own = type;
    std::string what;
    const auto say = [&](const std::string& text) { what += (what.empty() ? "" : ", ") + text; };
    if (!nics.empty()) {
      BytesPerSecond least;
      for (const std::size_t nic : nics) {
        const BytesPerSecond rate = node.nics[nic].rate;
        if (rate > BytesPerSecond() && (least == BytesPerSecond() || rate < least)) least = rate;
      }
      const bool other_rate = least > BytesPerSecond() && !alike(least, type.nic_rate);
      if (static_cast<int>(nics.size()) != type.nics || other_rate) {
        own.nics = static_cast<int>(nics.size());
        if (other_rate) own.nic_rate = least;
        say(fmt::format("{} of {}", count_of(own.nics, "NIC"), base::format_gbit(own.nic_rate)));
      }
    }
    if (!node.inside.empty()) refine_inside(node.inside.front(), own, say);
    if (what.empty()) return &type;
    const auto [at, is_new] = refined_.emplace(std::pair(&type, what), nullptr);
    if (is_new) {
      own.name = fmt::format("{} ({})", type.name, what);
      own.aliases.clear();
      at->second = std::make_shared<const NodeType>(std::move(own));
      spec_.custom_types.push_back(at->second);
    }
    tally_.add(node, Severity::note, fmt::format("taken for {} with {} as found", type.name, what));
    return at->second.get();
  }

  template <class Say>
  static void refine_inside(const FoundInside& inside, NodeType& own, Say say) {
    if (inside.scale_up != own.scale_up && own.scale_up_domain_nodes == 1) {
      own.scale_up = inside.scale_up;
      own.in_switch_reduction = own.in_switch_reduction && inside.scale_up == ScaleUpKind::nvswitch;
      own.scale_up_group_rates.clear();
      say(inside.scale_up == ScaleUpKind::nvswitch ? "NVSwitch"
          : inside.scale_up == ScaleUpKind::mesh   ? "direct links between GPUs"
          : inside.scale_up == ScaleUpKind::pcie   ? "PCIe between GPUs"
                                                   : "nothing between GPUs");
      if (inside.scale_up == ScaleUpKind::pcie && inside.pcie_rate > BytesPerSecond())
        own.scale_up_rate = inside.pcie_rate;
    }
    if (inside.scale_up_rate > BytesPerSecond() && own.scale_up_group_rates.empty() &&
        !alike(inside.scale_up_rate, own.scale_up_rate)) {
      own.scale_up_rate = inside.scale_up_rate;
      say(fmt::format("{} between GPUs", base::format_gbyte(own.scale_up_rate)));
    }
  }

  const FoundCluster& found_;
  const HardwareRegistry& registry_;
  const ImportOptions& options_;
  ClusterSpec& spec_;
  base::Diagnostics& problems_;
  ComputeNics nics_;
  NodeTally tally_;
  NodeTally mistakes_;
  std::map<std::pair<const NodeType*, std::string>, std::shared_ptr<const NodeType>> refined_;
};

}  // namespace

std::vector<TypedNode> type_nodes(const FoundCluster& found, const HardwareRegistry& registry,
                                  const ImportOptions& options, ClusterSpec& spec,
                                  base::Diagnostics& problems) {
  return Typer(found, registry, options, spec, problems).run();
}

}  // namespace topology
