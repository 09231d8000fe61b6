#include "topology/k8s_inventory.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <optional>

#include "base/quantity.hpp"
#include "topology/label_schemes.hpp"
#include "topology/node_tally.hpp"

namespace topology {

namespace {

using base::Node;
using base::Severity;

/// The first of `keys` that has a value.
template <std::size_t N>
std::string_view first_label(const KubernetesNode& node,
                             const std::array<std::string_view, N>& keys) {
  for (const std::string_view key : keys)
    if (const std::string_view value = label_value(node.labels, key); !value.empty()) return value;
  return {};
}

/// GPUs that the scheduler may hand out; nothing when the dump does not say.
std::optional<int> allocatable_gpus(const KubernetesNode& node) {
  std::optional<int> total;
  for (const std::string_view resource : gpu_resources) {
    const Node* value = node.allocatable == nullptr ? nullptr : node.allocatable->find(resource);
    if (value == nullptr) continue;
    if (const std::optional<int> count = parse_count(value->text))
      total = total.value_or(0) + *count;
  }
  return total;
}

bool offers_mig_slices(const KubernetesNode& node) {
  if (node.allocatable == nullptr) return false;
  return std::any_of(
      node.allocatable->entries.begin(), node.allocatable->entries.end(), [](const Node::Entry& e) {
        return e.key.starts_with("nvidia.com/mig-") && parse_count(e.value.text).value_or(0) > 0;
      });
}

/// What the labels and resources of a node say, before the registry is asked.
struct Evidence {
  std::string_view instance_type;
  std::string_view machine;
  std::string product;  ///< without what GFD appends to it
  bool mig = false;
  int replicas = 1;          ///< pods that share a GPU
  std::optional<int> count;  ///< of the label
  std::optional<int> allocatable;
};

Evidence evidence_of(const KubernetesNode& node) {
  constexpr std::array<std::string_view, 2> instance_keys{"node.kubernetes.io/instance-type",
                                                          "beta.kubernetes.io/instance-type"};
  constexpr std::array<std::string_view, 4> product_keys{
      "nvidia.com/gpu.product", "amd.com/gpu.product-name", "beta.amd.com/gpu.product-name",
      "cloud.google.com/gke-accelerator"};
  constexpr std::array<std::string_view, 2> count_keys{"nvidia.com/gpu.count",
                                                       "cloud.google.com/gke-accelerator-count"};
  Evidence found;
  found.instance_type = first_label(node, instance_keys);
  found.machine = label_value(node.labels, "nvidia.com/gpu.machine");
  found.product = first_label(node, product_keys);
  if (found.product.empty()) found.product = node.slice_product;
  found.count = parse_count(first_label(node, count_keys));
  if (found.count == 0) found.count.reset();  // left over from a driver that found none
  found.allocatable = allocatable_gpus(node);
  if (node.slice_gpus > 0) {
    found.count = found.count.value_or(node.slice_gpus);
    if (found.allocatable.value_or(0) == 0) found.allocatable = node.slice_gpus;
  }
  // Time slicing appends -SHARED to the product, MIG rewrites it to the slice.
  constexpr std::string_view shared = "-SHARED";
  if (found.product.ends_with(shared)) found.product.resize(found.product.size() - shared.size());
  const std::size_t slice = found.product.find("-MIG-");
  found.mig =
      slice != std::string::npos || (found.allocatable.value_or(0) == 0 && offers_mig_slices(node));
  found.product.resize(std::min(slice, found.product.size()));
  found.replicas =
      std::max(1, parse_count(label_value(node.labels, "nvidia.com/gpu.replicas")).value_or(1));
  return found;
}

class Taker {
 public:
  Taker(const HardwareRegistry& registry, const InventoryOptions& options)
      : registry_(registry), options_(options) {}

  Inventory inventory;
  NodeTally mistakes;
  NodeTally notes;

  void take(const KubernetesNode& node) {
    const Evidence found = evidence_of(node);
    const NodeType* promised = registry_.find_node(found.instance_type);
    if (found.product.empty() && !found.count && !found.allocatable && !found.mig &&
        promised == nullptr) {
      ++inventory.cpu_nodes;
      return;
    }
    const std::optional<std::string> unavailable = why_unavailable(node, found);
    if (!unavailable) return;
    if (found.product.empty() && promised == nullptr &&
        registry_.find_node(found.machine) == nullptr)
      return unidentified(node, found, nullptr, *unavailable,
                          fmt::format("{}the labels do not say which GPU it has",
                                      options_.keep == Keep::all ? "" : "left out: "),
                          "install GPU feature discovery, or label the node with "
                          "node.kubernetes.io/instance-type");
    const GpuSpec* gpu = gpu_of(found.product);
    if (gpu == nullptr && promised == nullptr && !found.product.empty())
      return unidentified(node, found, nullptr, *unavailable,
                          fmt::format("with the unknown GPU '{}'", found.product),
                          base::suggest(found.product, registry_.gpu_names()));
    if (gpu == nullptr && !found.product.empty())
      notes.add(node, Severity::warning,
                fmt::format("with the unknown GPU '{}', taken as {} for the instance type '{}'",
                            found.product, promised->gpu, found.instance_type),
                "add its product name to the aliases in scenarios/hardware/gpus");
    identified(node, found, gpu, *unavailable);
  }

 private:
  /// Why nothing new runs there: "" where it does; nothing where the node is left out for it.
  std::optional<std::string> why_unavailable(const KubernetesNode& node, const Evidence& found) {
    std::optional<std::string> why = "";
    if (!node.ready)
      why = set_aside(node, Keep::unavailable, Severity::note, "not Ready", "");
    else if (node.cordoned)
      why = set_aside(node, Keep::unavailable, Severity::note, "cordoned", "");
    if (!why) return why;
    if (found.mig)
      return set_aside(node, Keep::all, Severity::warning, "MIG slices instead of whole GPUs",
                       "a sharded step needs whole GPUs: switch MIG off there");
    if (found.allocatable == 0)
      return set_aside(node, Keep::all, Severity::warning, "no GPU is allocatable",
                       "the driver or the device plugin is down there");
    return why;
  }

  /// The reason again where `kept_by` or more is kept; nothing where the node is left out.
  std::optional<std::string> set_aside(const KubernetesNode& node, Keep kept_by, Severity severity,
                                       std::string_view why, std::string_view hint) {
    if (options_.keep < kept_by) {
      leave_out(node, severity, why, hint);
      return std::nullopt;
    }
    if (options_.keep == Keep::all)
      notes.add(node, severity, fmt::format("unavailable ({})", why), std::string(hint));
    return std::string(why);
  }

  void leave_out(const KubernetesNode& node, Severity severity, std::string_view why,
                 std::string_view hint) {
    notes.add(node, severity, fmt::format("left out ({})", why), std::string(hint));
  }

  /// A mistake, unless the user wants other GPUs anyway or all nodes.
  void unidentified(const KubernetesNode& node, const Evidence& found, const GpuSpec* gpu,
                    std::string unavailable, std::string what, std::string hint) {
    if (options_.gpu != nullptr && gpu == nullptr) {
      notes.add(node, Severity::warning, fmt::format("left out ({})", what), std::move(hint));
    } else if (options_.keep == Keep::all) {
      const int usable = found.mig ? 0 : found.allocatable.value_or(0) / found.replicas;
      const int gpus = std::max(found.count.value_or(usable), usable);
      notes.add(node, Severity::warning, std::move(what), std::move(hint));
      inventory.nodes.push_back({&node, nullptr, gpu, found.mig || gpus == 0 ? -1 : gpus, usable,
                                 std::move(unavailable)});
    } else {
      mistakes.add(node, Severity::error, std::move(what), std::move(hint));
    }
  }

  /// AMD's labeller writes `_` for spaces.
  const GpuSpec* gpu_of(std::string product) const {
    if (product.empty()) return nullptr;
    if (const GpuSpec* gpu = registry_.find_gpu(product)) return gpu;
    std::replace(product.begin(), product.end(), '_', ' ');
    if (const GpuSpec* gpu = registry_.find_gpu(product)) return gpu;
    std::replace(product.begin(), product.end(), ' ', '-');
    return registry_.find_gpu(product);
  }

  void identified(const KubernetesNode& node, const Evidence& found, const GpuSpec* gpu,
                  std::string unavailable) {
    const NodeType* type = named_type(node, found, gpu);
    if (gpu == nullptr && type != nullptr) gpu = registry_.find_gpu(type->gpu);
    if (options_.gpu != nullptr && gpu != options_.gpu) {
      leave_out(node, Severity::note,
                fmt::format("GPU is {}, not {}", gpu == nullptr ? "unknown" : gpu->name,
                            options_.gpu->name),
                "");
      return;
    }
    if (type == nullptr && gpu != nullptr) type = guessed_type(node, found, *gpu);
    if (type == nullptr || gpu == nullptr) {
      unidentified(node, found, gpu, std::move(unavailable),
                   fmt::format("with {}, for which no node type is known",
                               gpu == nullptr ? "an unknown GPU" : gpu->name),
                   "add one to scenarios/hardware/nodes");
      return;
    }
    check_memory(node, *gpu);
    const bool whole = !found.mig && found.allocatable != 0;
    const int present =
        found.mig ? type->gpus : std::min(found.count.value_or(type->gpus), type->gpus);
    inventory.nodes.push_back({&node, type, gpu, present,
                               whole ? usable(node, found, *type, present) : 0,
                               std::move(unavailable)});
    for (const std::string& taint : node.taints)
      if (!taint.starts_with("nvidia.com/gpu") && !taint.starts_with("amd.com/gpu"))
        notes.add(node, Severity::note, fmt::format("imported in spite of the taint {}", taint),
                  "the job must tolerate it");
  }

  /// By instance type, else by machine name; neither when the driver reports another GPU.
  const NodeType* named_type(const KubernetesNode& node, const Evidence& found,
                             const GpuSpec* gpu) {
    for (const std::string_view name : {found.instance_type, found.machine}) {
      const NodeType* type = name.empty() ? nullptr : registry_.find_node(name);
      if (type == nullptr) continue;
      if (gpu == nullptr || gpu == registry_.find_gpu(type->gpu)) return type;
      notes.add(node, Severity::warning,
                fmt::format("where '{}' promises {} but the driver reports {}; the driver is "
                            "believed",
                            name, type->gpu, gpu->name));
    }
    return nullptr;
  }

  /// The node type with this GPU and count: a DGX or HGX before others, since nodes of clouds say
  /// their instance type. Else the smallest one that has enough GPUs.
  const NodeType* guessed_type(const KubernetesNode& node, const Evidence& found,
                               const GpuSpec& gpu) {
    const int wanted = found.count.value_or(found.allocatable.value_or(1) / found.replicas);
    const NodeType* best = nullptr;
    const auto rank = [&](const NodeType& type) {
      const bool reference = type.name.starts_with("dgx") || type.name.starts_with("hgx");
      return std::pair(type.gpus, reference ? 0 : 1);
    };
    for (const NodeType& type : registry_.nodes())
      if (registry_.find_gpu(type.gpu) == &gpu && type.gpus >= wanted &&
          (best == nullptr || rank(type) < rank(*best)))
        best = &type;
    if (best == nullptr) return nullptr;
    notes.add(node, best->gpus == wanted ? Severity::note : Severity::warning,
              fmt::format(
                  "with {} x {} taken for {}{}", wanted, gpu.name, best->name,
                  best->gpus == wanted ? std::string() : fmt::format(", which has {}", best->gpus)),
              "label node.kubernetes.io/instance-type with a node type to choose another");
    return best;
  }

  /// The label is in MiB; firmware keeps a little for itself.
  void check_memory(const KubernetesNode& node, const GpuSpec& gpu) {
    const std::string_view text = label_value(node.labels, "nvidia.com/gpu.memory");
    const std::optional<int> mib = parse_count(text);
    if (!mib || gpu.memory.count() == 0) return;
    const base::Bytes told = base::Bytes::from_mib(*mib);
    if (std::fabs(told / gpu.memory - 1) < 0.12) return;
    notes.add(node, Severity::warning,
              fmt::format("where the driver reports {} of GPU memory but {} has {}",
                          base::format_bytes(told), gpu.name, base::format_bytes(gpu.memory)),
              "another variant of this GPU may be in scenarios/hardware/gpus");
  }

  int usable(const KubernetesNode& node, const Evidence& found, const NodeType& type, int present) {
    if (found.replicas > 1)
      notes.add(node, Severity::warning,
                fmt::format("with each GPU shared by {} pods, taken as whole GPUs", found.replicas),
                "a shared GPU trains slower than forecast");
    if (found.count && *found.count > type.gpus)
      notes.add(node, Severity::warning,
                fmt::format("with {} GPUs where {} has {}", *found.count, type.name, type.gpus));
    if (!found.allocatable) {
      notes.add(node, Severity::note,
                fmt::format("without allocatable GPUs in the dump, taken with all {}", present));
      return present;
    }
    const int free = *found.allocatable / found.replicas;
    if (free < present)
      notes.add(node, Severity::warning,
                fmt::format("with {} of {} GPUs allocatable", free, present),
                "a failed GPU, or one kept from the scheduler");
    return std::min(std::max(free, 1), present);
  }

  const HardwareRegistry& registry_;
  const InventoryOptions& options_;
};

}  // namespace

std::optional<int> parse_count(std::string_view text) {
  int number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || number < 0 || number > 1'000'000) return std::nullopt;
  const std::string_view rest(end, static_cast<std::size_t>(text.data() + text.size() - end));
  if (rest.empty()) return number;
  return rest == "k" && number <= 1000 ? std::optional<int>(number * 1000) : std::nullopt;
}

base::Result<Inventory> take_inventory(const std::vector<KubernetesNode>& nodes,
                                       const HardwareRegistry& registry,
                                       const InventoryOptions& options, base::Diagnostics& notes) {
  Taker taker(registry, options);
  for (const KubernetesNode& node : nodes) taker.take(node);
  base::Diagnostics problems;
  taker.mistakes.report(problems);
  if (!problems.empty()) return tl::unexpected(std::move(problems));
  taker.notes.report(notes);
  return std::move(taker.inventory);
}

}  // namespace topology
