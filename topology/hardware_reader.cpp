#include "topology/hardware_reader.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <limits>
#include <utility>

#include "base/map_reader.hpp"
#include "base/quantity.hpp"

namespace topology {

namespace {

constexpr std::array<std::pair<std::string_view, CpuVendor>, 3> cpu_names{{
    {"intel", CpuVendor::intel},
    {"amd", CpuVendor::amd},
    {"arm", CpuVendor::arm},
}};

/// The keys that are measurements or claims of a vendor, and so need a source.
constexpr std::array<std::string_view, 6> gpu_figures{
    "peak", "memory", "memory_bandwidth", "power_limit", "multiprocessors", "kernel_launch"};
constexpr std::array<std::string_view, 13> node_figures{"scale_up_group_rates",
                                                        "gpus",
                                                        "cpu",
                                                        "scale_up_rate",
                                                        "scale_up_efficiency",
                                                        "scale_up_latency",
                                                        "pcie_rate",
                                                        "nics",
                                                        "nic_kind",
                                                        "nic_rate",
                                                        "nic_efficiency",
                                                        "nic_latency",
                                                        "scale_up_domain_nodes"};

/// Share of a rate: above 0, at most 1.
constexpr base::Range<double> share{1e-3, 1};

bool is_date(std::string_view text) {
  if (text.size() != 4 && text.size() != 7 && text.size() != 10) return false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool dash = i == 4 || i == 7;
    if (dash ? text[i] != '-' : std::isdigit(static_cast<unsigned char>(text[i])) == 0)
      return false;
  }
  return true;
}

/// Whether a source of `covered` speaks for `figure`: the same key, or its parent ("peak" for
/// "peak.bf16").
bool covers(std::string_view covered, std::string_view figure) {
  return figure == covered ||
         (figure.starts_with(covered) && figure.substr(covered.size()).starts_with('.'));
}

/// Reads `sources` and holds it against the figures that the file gives.
void read_sources(base::MapReader& reader, const std::vector<std::string>& given,
                  std::vector<FigureSource>& sources) {
  std::vector<std::string_view> names(given.begin(), given.end());
  for (base::MapReader& item : reader.maps("sources")) {
    FigureSource source;
    item.require("of", source.of);
    item.require("from", source.from);
    if (item.require("date", source.date) && !is_date(source.date))
      item.error("date", fmt::format("'date' is '{}', must be like 2023 or 2023-03", source.date));
    item.finish();
    for (const std::string& covered : source.of)
      if (std::none_of(given.begin(), given.end(),
                       [&](const std::string& figure) { return covers(covered, figure); }))
        item.error("of", fmt::format("'{}' is not a figure of this file", covered),
                   base::suggest(covered, names));
    sources.push_back(std::move(source));
  }
  for (const std::string& figure : given) {
    const bool has_source =
        std::any_of(sources.begin(), sources.end(), [&](const FigureSource& source) {
          return std::any_of(source.of.begin(), source.of.end(),
                             [&](const std::string& covered) { return covers(covered, figure); });
        });
    if (!has_source)
      reader.error(figure, fmt::format("'{}' has no source", figure),
                   fmt::format("add {{of: [{}], from: ..., date: ...}} to 'sources'", figure));
  }
}

template <std::size_t N>
std::vector<std::string> given_of(const base::MapReader& reader,
                                  const std::array<std::string_view, N>& figures) {
  std::vector<std::string> given;
  for (const std::string_view figure : figures)
    if (reader.has(figure)) given.emplace_back(figure);
  return given;
}

void read_name(base::MapReader& reader, std::string& name, std::vector<std::string>& aliases) {
  if (reader.require("name", name) && (name.empty() || name.find('*') != std::string::npos))
    reader.error("name", fmt::format("'name' is '{}', must be a word without '*'", name));
  reader.read("aliases", aliases);
  for (const std::string& alias : aliases)
    if (alias.empty() || alias == "*" || alias.find('*') < alias.size() - 1)
      reader.error("aliases", fmt::format("alias '{}' may have '*' only at its end", alias));
}

/// Reads a quantity that cannot be 0.
template <class T>
bool read_positive(base::MapReader& reader, bool needed, std::string_view key, T& out) {
  if (!(needed ? reader.require(key, out) : reader.read(key, out))) return false;
  if (out > T{}) return true;
  reader.error(key, fmt::format("'{}' is 0, must be more", key));
  return false;
}

void read_peaks(base::MapReader& reader, GpuSpec& gpu, std::vector<std::string>& given) {
  std::optional<base::MapReader> peaks = reader.required_map("peak");
  if (!peaks) return;
  for (const auto& [name, dtype] : base::dtype_names) {
    base::FlopPerSecond rate;
    if (!read_positive(*peaks, false, name, rate)) continue;
    gpu.peak[dtype] = rate;
    given.push_back(fmt::format("peak.{}", name));
  }
  peaks->finish();
  if (gpu.peak.empty()) reader.error("peak", "'peak' names no number format");
}

void read_gpu_spec(base::MapReader& reader, GpuSpec& gpu) {
  read_name(reader, gpu.name, gpu.aliases);
  reader.require("vendor", gpu.vendor);
  if (!gpu.vendor.empty() && gpu.vendor != "nvidia" && gpu.vendor != "amd" && gpu.vendor != "cpu")
    reader.error("vendor", fmt::format("'vendor' is '{}', must be nvidia, amd or cpu", gpu.vendor));
  reader.require("architecture", gpu.architecture);
  read_positive(reader, true, "memory", gpu.memory);
  read_positive(reader, true, "memory_bandwidth", gpu.memory_bandwidth);
  reader.require("multiprocessors", gpu.multiprocessors, base::Range<int>{1, 10000});
  reader.require("kernel_launch", gpu.kernel_launch);
  reader.read("power_limit", gpu.power_limit, base::Range<double>{1, 1e5});

  std::vector<std::string> given;
  read_peaks(reader, gpu, given);
  for (std::string& figure : given_of(reader, gpu_figures))
    if (figure != "peak") given.push_back(std::move(figure));
  read_sources(reader, given, gpu.sources);
  reader.finish();
}

void read_group_rates(base::MapReader& reader, NodeType& type) {
  constexpr std::string_view key = "scale_up_group_rates";
  std::vector<std::string> words;
  if (!reader.read(key, words)) return;
  type.scale_up_group_rates.clear();
  for (const std::string& word : words) {
    const base::Quantity<base::BytesPerSecond> rate = base::parse_bytes_per_second(word);
    if (!rate)
      reader.error(key, fmt::format("'{}' {}", key, rate.error().message), rate.error().hint);
    else if (*rate <= base::BytesPerSecond())
      reader.error(key, fmt::format("each of '{}' must be above 0", key));
    else
      type.scale_up_group_rates.push_back(*rate);
  }
  if (words.size() + 1 != static_cast<std::size_t>(type.gpus))
    reader.error(key, fmt::format("'{}' has {} rates, but groups of 2 to {} GPUs are {} sizes", key,
                                  words.size(), type.gpus, type.gpus - 1));
}

/// Rules between the keys of a node type.
void check_node_type(base::MapReader& reader, const NodeType& type, bool complete) {
  if (type.scale_up == ScaleUpKind::none && type.gpus > 1)
    reader.error("scale_up", fmt::format("'scale_up' is none, but the node has {} GPUs", type.gpus),
                 "one of nvswitch, mesh, pcie");
  if (type.scale_up != ScaleUpKind::nvswitch && type.scale_up_domain_nodes > 1)
    reader.error("scale_up_domain_nodes",
                 fmt::format("'scale_up_domain_nodes' is {}, but only nvswitch reaches other nodes",
                             type.scale_up_domain_nodes));
  // Over a `base` that had no such links, the keys are optional but the figures are not.
  const auto needs = [&](std::string_view key, base::BytesPerSecond rate) {
    if (!reader.has(key) && rate <= base::BytesPerSecond())
      reader.error(key, fmt::format("'{}' is missing", key));
  };
  if (!complete && type.scale_up != ScaleUpKind::none) needs("scale_up_rate", type.scale_up_rate);
  if (!complete && type.nics > 0) needs("nic_rate", type.nic_rate);
  if (!complete && type.nics > 0) needs("pcie_rate", type.pcie_rate);
  if (type.nics > type.gpus)
    reader.error("nics",
                 fmt::format("'nics' is {}, but the node has {} GPUs", type.nics, type.gpus),
                 "give the ports that one GPU uses as one NIC with the sum of their rates");
}

template <class Spec, class Read>
base::Result<FromFile<Spec>> read_spec(std::string_view yaml, const std::string& file, Read read) {
  return base::parse_yaml(yaml, file)
      .and_then([&](const base::Document& document) -> base::Result<FromFile<Spec>> {
        FromFile<Spec> out;
        out.file = file;
        base::Diagnostics problems;
        base::MapReader reader(document, document.root, "", problems, &out.origins);
        read(reader, out.spec);
        if (base::has_errors(problems)) return tl::unexpected(std::move(problems));
        return out;
      });
}

}  // namespace

void read_node_type(base::MapReader& reader, NodeType& type, bool complete) {
  const auto read = [&](std::string_view key, auto&... out) {
    return complete ? reader.require(key, out...) : reader.read(key, out...);
  };
  constexpr base::Range<int> gpu_range{1, 1024};
  constexpr base::Range<int> nic_range{0, 1024};
  constexpr base::Range<int> domain_range{1, 1024};
  read("gpu", type.gpu);
  const bool counted = read("gpus", type.gpus, gpu_range) || !complete;
  reader.read_choice("cpu", type.cpu, cpu_names);
  const bool kind_known = complete
                              ? reader.require_choice("scale_up", type.scale_up, scale_up_names)
                              : reader.read_choice("scale_up", type.scale_up, scale_up_names) ||
                                    !reader.has("scale_up");
  const bool linked = kind_known && type.scale_up != ScaleUpKind::none;
  read_positive(reader, complete && linked, "scale_up_rate", type.scale_up_rate);
  reader.read("scale_up_efficiency", type.scale_up_efficiency, share);
  reader.read("scale_up_latency", type.scale_up_latency);
  reader.read("scale_up_domain_nodes", type.scale_up_domain_nodes, domain_range);
  reader.read("in_switch_reduction", type.in_switch_reduction);
  read("nics", type.nics, nic_range);
  read_positive(reader, complete && type.nics > 0, "pcie_rate", type.pcie_rate);
  read_positive(reader, complete && type.nics > 0, "nic_rate", type.nic_rate);
  reader.read_choice("nic_kind", type.nic_kind, nic_kind_names);
  reader.read("nic_efficiency", type.nic_efficiency, share);
  reader.read("nic_latency", type.nic_latency);
  if (counted) read_group_rates(reader, type);
  if (counted && kind_known) check_node_type(reader, type, complete);
}

base::Result<FromFile<GpuSpec>> read_gpu_file(std::string_view yaml, const std::string& file) {
  return read_spec<GpuSpec>(yaml, file, read_gpu_spec);
}

base::Result<FromFile<NodeType>> read_node_file(std::string_view yaml, const std::string& file) {
  return read_spec<NodeType>(yaml, file, [](base::MapReader& reader, NodeType& type) {
    read_name(reader, type.name, type.aliases);
    read_node_type(reader, type, true);
    read_sources(reader, given_of(reader, node_figures), type.sources);
    reader.finish();
  });
}

}  // namespace topology
