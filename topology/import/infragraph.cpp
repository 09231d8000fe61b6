#include "topology/import/infragraph.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <optional>
#include <unordered_map>
#include <unordered_set>

#include "base/document.hpp"
#include "base/map_reader.hpp"
#include "topology/cluster_spec.hpp"
#include "topology/import/fabric_shape.hpp"
#include "topology/import/infragraph_words.hpp"

namespace topology {

namespace {

using base::BytesPerSecond;
using base::MapReader;
using base::Severity;
using base::SourceRef;

constexpr std::size_t cables_max = 1 << 22;

struct Component {
  int count = 0;
  bool is_nic = false;
};

struct Device {
  std::map<std::string, Component, std::less<>> components;
  int xpus = 0;
  bool is_node = false;
};

struct Instance {
  const Device* device = nullptr;
  int count = 0;
  std::size_t first = 0;  ///< index of number 0 among nodes or switches
};

/// An end of cables: some instances, and some components of each.
struct Endpoint {
  const Instance* instance = nullptr;
  const Component* component = nullptr;
  std::string instance_name;
  Slice instances;
  Slice components;

  std::size_t size() const {
    return static_cast<std::size_t>(instances.last - instances.first) *
           static_cast<std::size_t>(components.last - components.first);
  }
};

std::string numbered(const std::string& name, int number, int count) {
  return count == 1 ? name : fmt::format("{}.{}", name, number);
}

class Reader {
 public:
  explicit Reader(const base::Document& document) : document_(document) {}

  base::Result<FoundCluster> read() {
    MapReader root(document_, document_.root, "", problems_);
    for (MapReader& device : root.maps("devices")) read_device(device);
    for (MapReader& link : root.maps("links")) read_link(link);
    for (MapReader& instance : root.maps("instances")) read_instance(instance);
    if (problems_.empty())
      for (MapReader& edge : root.maps("edges")) read_edge(edge);
    std::vector<base::PlacedText> connections;
    root.read("connections", connections);
    if (problems_.empty())
      for (const base::PlacedText& one : connections) read_connection(one);
    if (problems_.empty() && found_.nodes.empty())
      error(root.where(), "no instance is a node: no device has XPUs");
    if (uneven_ > 0)
      found_.notes.push_back({uneven_where_,
                              fmt::format("{} edges have ends of different number; the shorter end "
                                          "counts, as in InfraGraph's examples",
                                          uneven_),
                              "", Severity::note});
    if (!problems_.empty()) return tl::unexpected(std::move(problems_));
    found_.sources.push_back({"infragraph", document_.files.front(),
                              fmt::format("{} nodes, {} switches, {} cables", found_.nodes.size(),
                                          found_.switches.size(), found_.cables.size())});
    shape_fabric(found_, document_.where(document_.root));
    return std::move(found_);
  }

 private:
  void error(const SourceRef& where, std::string message, std::string hint = "") {
    problems_.push_back({where, std::move(message), std::move(hint)});
  }

  void read_device(MapReader& reader) {
    std::string name;
    reader.require("name", name);
    Device device;
    bool has_cpu = false;  // switches have one too, their ASIC, but no NICs
    bool has_nic = false;
    for (MapReader& component : reader.maps("components")) {
      std::string id;
      std::string kind;
      Component made;
      component.require("name", id);
      if (!component.read("choice", kind)) component.require("type", kind);
      component.require("count", made.count, base::Range<int>{0, cluster_gpus_max});
      if (kind == "xpu" || kind == "npu")
        device.xpus = std::min(device.xpus + made.count, cluster_gpus_max);
      // A NIC may be a device of its own.
      made.is_nic = kind == "nic" || kind == "device";
      has_cpu = has_cpu || kind == "cpu";
      has_nic = has_nic || kind == "nic";
      device.components.insert({id, made});
    }
    device.is_node = device.xpus > 0 || (has_cpu && has_nic);
    if (!devices_.insert({name, std::move(device)}).second)
      error(reader.where("name"), fmt::format("the device '{}' is given twice", name));
  }

  void read_link(MapReader& reader) {
    std::string name;
    reader.require("name", name);
    // {"choice": unit, unit: number}, below "physical" since version 2.
    std::optional<MapReader> physical = reader.map("physical");
    std::optional<MapReader> bandwidth =
        physical ? physical->map("bandwidth") : reader.map("bandwidth");
    BytesPerSecond rate;
    if (bandwidth) {
      constexpr double most = 1e6;
      double value = 0;
      for (const char* unit : {"gigabits_per_second", "giga_bits_per_second", "g_bits_per_second"})
        if (bandwidth->read(unit, value, {0, most})) rate = BytesPerSecond::from_gbit(value);
      for (const char* unit :
           {"gigabytes_per_second", "giga_bytes_per_second", "g_bytes_per_second"})
        if (bandwidth->read(unit, value, {0, most})) rate = BytesPerSecond::from_gbyte(value);
    }
    if (!links_.insert({name, rate}).second)
      error(reader.where("name"), fmt::format("the link '{}' is given twice", name));
  }

  void read_instance(MapReader& reader) {
    std::string name;
    std::string device;
    Instance made;
    reader.require("name", name);
    reader.require("device", device);
    reader.require("count", made.count, base::Range<int>{1, cluster_gpus_max});
    const auto found = devices_.find(device);
    if (found == devices_.end())
      return error(reader.where("device"), fmt::format("there is no device '{}'", device));
    made.device = &found->second;
    things_ += static_cast<std::size_t>(made.count);
    if (things_ > cluster_gpus_max)
      return error(reader.where("count"), fmt::format("more than {} instances", cluster_gpus_max));
    made.first = made.device->is_node ? found_.nodes.size() : found_.switches.size();
    for (int i = 0; i < made.count; ++i)
      add_thing(numbered(name, i, made.count), device, *made.device, reader.where("name"));
    if (!instances_.insert({name, made}).second)
      error(reader.where("name"), fmt::format("the instance '{}' is given twice", name));
  }

  void add_thing(std::string name, const std::string& kind, const Device& device,
                 const SourceRef& where) {
    if (!names_.insert(name).second)
      error(where, fmt::format("two instances come to the name '{}'", name));
    if (!device.is_node) {
      FoundSwitch made;
      made.id = std::move(name);
      made.model = kind;
      made.where = where;
      found_.switches.push_back(std::move(made));
      return;
    }
    FoundNode node;
    node.name = std::move(name);
    node.gpus = device.xpus;
    node.where = where;
    for (const auto& [id, component] : device.components)
      for (int i = 0; component.is_nic && i < component.count; ++i) {
        if (++things_ > cluster_gpus_max)
          return error(where, fmt::format("more than {} NICs", cluster_gpus_max));
        FoundNic nic;
        nic.name = numbered(id, i, component.count);
        node.nics.push_back(std::move(nic));
      }
    found_.nodes.push_back(std::move(node));
  }

  void read_edge(MapReader& reader) {
    std::string scheme = "one2one";
    bool all = false;
    std::string link;
    if (!reader.read("many2many", all)) reader.read("scheme", scheme);
    reader.require("link", link);
    if (scheme != "one2one" && scheme != "many2many")
      return error(reader.where("scheme"), fmt::format("the scheme '{}' is not known", scheme),
                   "known: one2one, many2many");
    const auto a = read_endpoint(reader, "ep1");
    const auto b = read_endpoint(reader, "ep2");
    if (!a || !b) return;
    join(*a, *b, all || scheme == "many2many", link, reader.where());
  }

  std::optional<Endpoint> read_endpoint(MapReader& edge, std::string_view key) {
    auto reader = edge.required_map(key);
    if (!reader) return std::nullopt;
    std::string instance;
    std::string component;
    const bool complete =
        reader->require("instance", instance) & reader->require("component", component);
    if (!complete) return std::nullopt;
    const auto instances = slice_of(instance);
    const auto components = slice_of(component);
    if (!instances || !components) {
      error(reader->where(instances ? "component" : "instance"),
            fmt::format("'{}' is no name with a slice", instances ? component : instance),
            "write for example host[0:2]");
      return std::nullopt;
    }
    return endpoint(*instances, *components, reader->where("instance"), reader->where("component"));
  }

  std::optional<Endpoint> endpoint(const Slice& instances, const Slice& components,
                                   const SourceRef& where_instance,
                                   const SourceRef& where_component) {
    const auto instance = instances_.find(instances.name);
    if (instance == instances_.end()) {
      error(where_instance, fmt::format("there is no instance '{}'", instances.name));
      return std::nullopt;
    }
    const auto& all = instance->second.device->components;
    const auto component = all.find(components.name);
    if (component == all.end()) {
      error(where_component,
            fmt::format("'{}' has no component '{}'", instances.name, components.name));
      return std::nullopt;
    }
    Endpoint made{&instance->second, &component->second, instances.name, instances, components};
    return fits(made.instances, instance->second.count, where_instance) &&
                   fits(made.components, component->second.count, where_component)
               ? std::optional(made)
               : std::nullopt;
  }

  bool fits(Slice& slice, int count, const SourceRef& where) {
    if (slice.last < 0) slice.last = count;
    if (slice.first < slice.last && slice.last <= count) return true;
    error(where, fmt::format("{}[{}:{}] is not among the {} there are", slice.name, slice.first,
                             slice.last, count));
    return false;
  }

  void join(const Endpoint& a, const Endpoint& b, bool all, const std::string& link,
            const SourceRef& where) {
    const auto rate = links_.find(link);
    if (rate == links_.end()) return error(where, fmt::format("there is no link '{}'", link));
    const std::size_t pairs = all ? a.size() * b.size() : std::min(a.size(), b.size());
    if ((all && a.size() > cables_max / b.size()) || found_.cables.size() + pairs > cables_max)
      return error(where, fmt::format("more than {} cables", cables_max));
    if (!all && a.size() != b.size() && uneven_++ == 0) uneven_where_ = where;
    for (std::size_t i = 0; i < pairs; ++i) {
      FoundCable cable;
      cable.a = end_of(a, all ? i / b.size() : i);
      cable.b = end_of(b, all ? i % b.size() : i);
      cable.rate = rate->second;
      cable.where = where;
      if (cable.a.at != cable.b.at || cable.a.index != cable.b.index)
        found_.cables.push_back(std::move(cable));
    }
  }

  /// The i-th of an end: all components of the first instance come first.
  static CableEnd end_of(const Endpoint& all, std::size_t i) {
    const auto each = static_cast<std::size_t>(all.components.last - all.components.first);
    const int component = all.components.first + static_cast<int>(i % each);
    const std::string name = numbered(all.components.name, component, all.component->count);
    CableEnd end;
    end.index = all.instance->first + static_cast<std::size_t>(all.instances.first) + i / each;
    if (all.instance->device->is_node) {
      end.nic = name;
    } else {
      end.at = CableEnd::At::fabric_switch;
      end.port = name;
    }
    return end;
  }

  void read_connection(const base::PlacedText& text) {
    const auto connection = connection_of(text.text);
    if (!connection)
      return error(text.where, fmt::format("'{}' is no connection", text.text),
                   "write for example host.0.nic.1.eth.leaf.0.port.3");
    const auto& [link, ends] = *connection;
    const auto a = endpoint(ends[0].instance, ends[0].component, text.where, text.where);
    const auto b = endpoint(ends[1].instance, ends[1].component, text.where, text.where);
    if (a && b) join(*a, *b, false, link, text.where);
  }

  const base::Document& document_;
  base::Diagnostics problems_;
  std::map<std::string, Device> devices_;
  std::unordered_map<std::string, Instance> instances_;
  std::unordered_set<std::string> names_;
  std::unordered_map<std::string, BytesPerSecond> links_;
  std::size_t things_ = 0;
  int uneven_ = 0;
  SourceRef uneven_where_;
  FoundCluster found_;
};

}  // namespace

bool is_infragraph(std::string_view text) {
  const auto has = [&](std::string_view key) {
    for (std::size_t at = text.find(key); at != std::string_view::npos; at = text.find(key, at + 1))
      if (at == 0 || text[at - 1] == '\n') return true;
    return false;
  };
  return has("devices:") && has("instances:");
}

base::Result<FoundCluster> read_infragraph(std::span<const DumpFile> files, const ImportContext&) {
  const auto document = base::parse_yaml(files.front().text, files.front().name);
  if (!document) return tl::unexpected(document.error());
  return Reader(*document).read();
}

}  // namespace topology
