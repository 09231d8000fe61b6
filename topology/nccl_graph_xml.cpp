#include "topology/nccl_graph_xml.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdint>
#include <optional>
#include <pugixml.hpp>
#include <set>
#include <type_traits>
#include <utility>
#include <vector>

#include "topology/xml_places.hpp"

namespace topology {

namespace {

constexpr int no_limit = 1 << 20;

template <class T>
std::optional<T> number_in(std::string_view text, int base = 10) {
  T value{};
  std::from_chars_result result{};
  if constexpr (std::is_floating_point_v<T>)
    result = std::from_chars(text.data(), text.data() + text.size(), value);
  else
    result = std::from_chars(text.data(), text.data() + text.size(), value, base);
  if (result.ec != std::errc() || result.ptr != text.data() + text.size()) return std::nullopt;
  return value;
}

/// Reads one element; what is not asked for is a mistake, as in base::MapReader.
class Element {
 public:
  Element(const pugi::xml_node& node, const XmlPlaces& places, base::Diagnostics& problems)
      : node_(node), places_(places), problems_(problems) {
    std::size_t index = 0;
    const std::vector<base::SourceRef> where_of = places.of_attributes(node);
    for (const pugi::xml_attribute& attribute : node.attributes()) {
      const std::string_view name = attribute.name();
      const base::SourceRef& where = where_of.at(index++);
      const auto same = [&](const Attribute& other) { return other.name == name; };
      if (attributes_.size() == attributes_max) {  // NCCL's own limit
        error(where, fmt::format("more than {} attributes", attributes_max));
        break;
      }
      if (std::any_of(attributes_.begin(), attributes_.end(), same))
        error(where, fmt::format("'{}' is given twice", name));
      else
        attributes_.push_back({name, attribute.value(), where});
    }
  }

  void error(const base::SourceRef& where, std::string message, std::string hint = "") {
    problems_.push_back({where, std::move(message), std::move(hint)});
  }
  base::SourceRef where() const { return places_.of(node_); }

  /// Where the attribute stands; the element when it does not.
  base::SourceRef where(std::string_view name) const {
    const Attribute* found = find(name);
    return found == nullptr ? where() : found->where;
  }

  std::optional<std::string_view> text(std::string_view name, bool needed = true) {
    asked_.push_back(name);
    const Attribute* found = find(name);
    if (found != nullptr) return found->value;
    if (needed) error(where(), fmt::format("'{}' is missing", name));
    return std::nullopt;
  }

  int whole(std::string_view name, int least, int most) {
    const auto words = text(name);
    if (!words) return least;
    const auto value = number_in<int>(*words);
    if (value && *value >= least && *value <= most) return *value;
    error(where(name), most == no_limit
                           ? fmt::format("'{}' is '{}', must be a whole number", name, *words)
                           : fmt::format("'{}' is '{}', must be a whole number from {} to {}", name,
                                         *words, least, most));
    return least;
  }

  double real(std::string_view name, bool needed) {
    constexpr double most = 1e6;
    const auto words = text(name, needed);
    if (!words) return 0;
    const auto value = number_in<double>(*words);
    if (value && *value >= 0 && *value <= most) return *value;
    error(where(name),
          fmt::format("'{}' is '{}', must be a number from 0 to {}", name, *words, most));
    return 0;
  }

  NcclPath path(std::string_view name) {
    const auto words = text(name);
    if (!words) return NcclPath::dis;
    std::vector<std::string_view> names;
    for (const auto& [known, path] : nccl_path_names) {
      if (known == *words) return path;
      names.push_back(known);
    }
    error(where(name), fmt::format("'{}' is '{}', which is no path type", name, *words),
          base::suggest(*words, names));
    return NcclPath::dis;
  }

  /// The children with this name; others, and text, are mistakes.
  std::vector<pugi::xml_node> children(const std::vector<std::string_view>& names) {
    std::vector<pugi::xml_node> found;
    for (const pugi::xml_node& child : node_.children()) {
      const std::string_view name = child.name();
      if (child.type() != pugi::node_element)
        error(places_.of(child), fmt::format("text inside <{}>", node_.name()));
      else if (std::find(names.begin(), names.end(), name) == names.end())
        error(places_.of(child), fmt::format("unknown element <{}> in <{}>", name, node_.name()),
              names.empty() ? "" : base::suggest(name, names));
      else
        found.push_back(child);
    }
    return found;
  }

  /// Call after everything was asked for.
  void finish() {
    for (const Attribute& attribute : attributes_)
      if (std::find(asked_.begin(), asked_.end(), attribute.name) == asked_.end())
        error(attribute.where,
              fmt::format("unknown attribute '{}' of <{}>", attribute.name, node_.name()),
              asked_.empty() ? "" : base::suggest(attribute.name, asked_));
  }

 private:
  static constexpr std::size_t attributes_max = 16;
  struct Attribute {
    std::string_view name;
    std::string_view value;
    base::SourceRef where;
  };

  const Attribute* find(std::string_view name) const {
    const auto found = std::find_if(attributes_.begin(), attributes_.end(),
                                    [&](const Attribute& a) { return a.name == name; });
    return found == attributes_.end() ? nullptr : &*found;
  }

  const pugi::xml_node& node_;
  const XmlPlaces& places_;
  base::Diagnostics& problems_;
  std::vector<Attribute> attributes_;
  std::vector<std::string_view> asked_;
};

/// Device ids are hexadecimal with or without 0x: the number of the host above that of the device.
std::optional<std::uint64_t> device_id(std::string_view text) {
  if (text.starts_with("0x") || text.starts_with("0X")) text.remove_prefix(2);
  return number_in<std::uint64_t>(text, 16);
}

struct Members {
  std::size_t gpus = 0;
  std::size_t nics = 0;
};

/// Reads one channel and counts what it visits.
Members read_channel(const pugi::xml_node& node, bool ring, const XmlPlaces& places,
                     base::Diagnostics& problems) {
  Element channel(node, places, problems);
  std::set<std::uint64_t> seen;
  Members members;
  for (const pugi::xml_node& child : channel.children({"net", "gpu"})) {
    Element device(child, places, problems);
    if (const auto words = device.text("dev")) {
      const auto id = device_id(*words);
      if (!id)
        device.error(device.where("dev"),
                     fmt::format("'dev' is '{}', which is no hexadecimal number", *words));
      else if (ring && child.name() == std::string_view("gpu") && !seen.insert(*id).second)
        device.error(device.where("dev"), fmt::format("GPU {} is twice in this ring", *words));
    }
    ++(child.name() == std::string_view("gpu") ? members.gpus : members.nics);
    device.children({});
    device.finish();
  }
  if (members.gpus == 0) channel.error(channel.where(), "a channel without GPUs");
  channel.finish();
  return members;
}

/// What a graph is by its id.
struct Kind {
  std::string_view name;
  NcclGraph NcclGraphs::*graph;
  int first_pattern;
  int last_pattern;
};
constexpr std::array<Kind, 5> kinds{{
    {"ring", &NcclGraphs::ring, 4, 4},
    {"tree", &NcclGraphs::tree, 1, 3},
    {"CollNet chain", &NcclGraphs::collnet_chain, 3, 3},
    {"NVLS", &NcclGraphs::nvls, 5, 5},
    {"CollNet direct", &NcclGraphs::collnet_direct, 6, 6},
}};

/// Reads the channels of a graph and gives what the first one visits.
Members read_channels(Element& element, const NcclGraph& graph, bool ring, const XmlPlaces& places,
                      base::Diagnostics& problems) {
  const std::vector<pugi::xml_node> channels = element.children({"channel"});
  if (channels.size() != static_cast<std::size_t>(graph.channels))
    element.error(element.where("nchannels"),
                  fmt::format("'nchannels' is {}, but there are {} <channel> elements",
                              graph.channels, channels.size()));
  Members first;
  for (const pugi::xml_node& channel : channels) {
    const Members members = read_channel(channel, ring, places, problems);
    if (first.gpus == 0) first = members;
    if (ring && members.gpus != 0 && members.gpus != first.gpus)
      element.error(places.of(channel), fmt::format("a ring of {} GPUs, but the first has {}",
                                                    members.gpus, first.gpus));
    else if (ring && members.gpus != 0 && (members.nics == 0) != (first.nics == 0))
      element.error(places.of(channel), "some rings leave the node and some do not");
  }
  return first;
}

void read_graph(const pugi::xml_node& node, const XmlPlaces& places, base::Diagnostics& problems,
                NcclGraphs& graphs, std::set<int>& ids) {
  constexpr int last_id = static_cast<int>(kinds.size()) - 1;
  constexpr int channels_max = 64;  // MAXCHANNELS
  Element element(node, places, problems);
  const std::size_t before = problems.size();
  const int id = element.whole("id", 0, last_id);
  const bool id_known = problems.size() == before;
  const int pattern = element.whole("pattern", 0, 6);
  NcclGraph graph;
  graph.crossnic = element.whole("crossnic", 0, 2);
  graph.channels = element.whole("nchannels", 0, channels_max);
  graph.speed_intra = element.real("speedintra", true);
  graph.speed_inter = element.real("speedinter", true);
  graph.latency_inter = element.real("latencyinter", false);  // not in older dumps
  graph.type_intra = element.path("typeintra");
  graph.type_inter = element.path("typeinter");
  graph.same_channels = element.whole("samechannels", 0, 1) == 1;
  const Members first = read_channels(element, graph, id_known && id == 0, places, problems);
  element.finish();
  if (!id_known) return;

  const Kind& kind = kinds.at(static_cast<std::size_t>(id));
  if (!ids.insert(id).second)
    return element.error(element.where("id"), fmt::format("graph {} is given twice", id));
  if (graph.channels == 0) {
    graphs.*kind.graph = NcclGraph{};
    return;
  }
  if (problems.size() == before && (pattern < kind.first_pattern || pattern > kind.last_pattern))
    element.error(
        element.where("pattern"),
        fmt::format("'pattern' is {}, but graph {} is a {} graph", pattern, id, kind.name),
        kind.first_pattern == kind.last_pattern
            ? fmt::format("must be {}", kind.first_pattern)
            : fmt::format("must be {} to {}", kind.first_pattern, kind.last_pattern));
  for (const auto& [name, speed] :
       {std::pair{"speedintra", graph.speed_intra}, std::pair{"speedinter", graph.speed_inter}})
    if (problems.size() == before && !(speed > 0))
      element.error(element.where(name), fmt::format("'{}' is 0, but there are channels", name));
  graph.pattern = static_cast<NcclPattern>(std::max(pattern, 1));
  graphs.*kind.graph = graph;
  if (id != 0) return;
  graphs.gpus_per_node = static_cast<int>(first.gpus);
  graphs.across_nodes = first.nics > 0;
}

}  // namespace

base::Result<NcclGraphs> read_nccl_graph_xml(std::string_view text, const std::string& file) {
  const XmlPlaces places(text, file);
  base::Diagnostics problems;
  const auto refuse = [&](const base::SourceRef& where, std::string message) {
    problems.push_back({where, std::move(message), "write it with NCCL_GRAPH_DUMP_FILE=FILE"});
    return tl::unexpected(problems);
  };
  pugi::xml_document document;
  if (auto broken = load_xml(document, text, places)) return refuse(broken->where, broken->message);

  pugi::xml_node root;
  for (const pugi::xml_node& child : document.children()) {
    const bool wanted = child.name() == std::string_view("graphs") && !root;
    if (!wanted) return refuse(places.of(child), "there must be one element <graphs>");
    root = child;
  }
  if (!root) return refuse({file}, "there is no element <graphs>");
  Element element(root, places, problems);
  if (const int version = element.whole("version", 0, no_limit); version != 1 && problems.empty())
    element.error(element.where("version"), fmt::format("'version' is {}, must be 1", version));
  NcclGraphs graphs;
  std::set<int> ids;
  for (const pugi::xml_node& graph : element.children({"graph"}))
    read_graph(graph, places, problems, graphs, ids);
  element.finish();
  if (!base::has_errors(problems) && graphs.ring.channels == 0)
    element.error(element.where(), "there is no ring", "a graph with id 0 and channels");
  if (base::has_errors(problems)) return tl::unexpected(std::move(problems));
  return graphs;
}

}  // namespace topology
