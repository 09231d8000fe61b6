#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

#include "base/quoted.hpp"
#include "topology/export/writers.hpp"

namespace topology {

namespace {

using base::Severity;

/// Letters of names in InfraGraph 2.4, without those that its slices use.
constexpr std::string_view letters =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// Ports of a device by name, in the order of their first cable.
struct Ports {
  std::vector<std::string> names;
  std::map<std::string, std::size_t> cables;  ///< at each
};

class Writer {
 public:
  explicit Writer(const FoundCluster& cluster) : cluster_(cluster) {}

  base::Result<Exported> write() {
    if (cluster_.cables.empty())
      return tl::unexpected(
          base::Diagnostics{{{cluster_.sources.empty() ? "cluster" : cluster_.sources.front().file},
                             "no cables are known, and InfraGraph is made of them",
                             "import a dump of the fabric, for example of ibnetdiscover"}});
    // A device of InfraGraph is a node by its XPUs and NICs.
    if (std::none_of(cluster_.nodes.begin(), cluster_.nodes.end(),
                     [](const FoundNode& node) { return node.gpus > 0 || !node.nics.empty(); }))
      return tl::unexpected(base::Diagnostics{
          {cluster_.cables.front().where, "no GPU or NIC of a node is known, only switches", ""}});
    name_things();
    write_edges();
    write_instances();
    std::string links = "links:\n";
    for (const auto& [rate, name] : links_) {
      links += fmt::format("  - name: {}\n", base::quoted(name));
      if (rate > 0)
        links += fmt::format(
            "    physical:\n      bandwidth:\n        choice: gigabits_per_second\n"
            "        gigabits_per_second: {:.12g}\n",
            rate);
    }
    out_.text = "name: cluster\ndevices:\n" + devices_text_ + links + instances_text_ + edges_text_;
    return std::move(out_);
  }

 private:
  void name_things() {
    for (std::size_t i = 0; i < cluster_.nodes.size(); ++i) {
      const std::string& name = cluster_.nodes[i].name;
      node_names_.push_back(unique(name.empty() ? fmt::format("node-{}", i) : name));
    }
    std::map<std::string_view, int> uses;
    for (const FoundSwitch& one : cluster_.switches) ++uses[one.name];
    for (const FoundSwitch& one : cluster_.switches)
      switch_names_.push_back(unique(one.name.empty() || uses[one.name] > 1 ? one.id : one.name));
    if (renamed_ > 0)
      out_.notes.push_back({cluster_.cables.front().where,
                            fmt::format("{} nodes and switches are written under another name "
                                        "(letters, digits, '-' and '_' only)",
                                        renamed_),
                            "", Severity::note});
    node_ports_.resize(cluster_.nodes.size());
    switch_ports_.resize(cluster_.switches.size());
  }

  static std::string allowed(std::string name) {
    for (char& c : name)
      if (letters.find(c) == std::string_view::npos) c = '-';
    return name;
  }

  std::string unique(const std::string& name) {
    std::string made = allowed(name);
    while (!taken_.insert(made).second)
      made = fmt::format("{}-{}", allowed(name), ++copies_[allowed(name)]);
    renamed_ += made == name ? 0 : 1;
    return made;
  }

  /// Takes the next place at a port; the component of the endpoint.
  static std::string plug(Ports& ports, const std::string& name) {
    const auto [found, added] = ports.cables.insert({name, 0});
    if (added) ports.names.push_back(name);
    return fmt::format("{}[{}]", name, found->second++);
  }

  std::string endpoint(const CableEnd& end) {
    const bool node = end.at == CableEnd::At::node;
    const std::string& device = node ? end.nic : end.port;
    const std::string name = device.empty() ? (node ? "nic" : "port") : allowed(device);
    return fmt::format("{{instance: {}, component: {}}}",
                       base::quoted((node ? node_names_ : switch_names_)[end.index]),
                       base::quoted(plug((node ? node_ports_ : switch_ports_)[end.index], name)));
  }

  void write_edges() {
    std::size_t down = 0;
    edges_text_ = "edges:\n";
    for (const FoundCable& cable : cluster_.cables) {
      if (cable.state == CableState::down) {
        ++down;
        continue;
      }
      const double rate = cable.rate.gbit();
      const auto [link, added] = links_.insert({rate, ""});
      if (added) link->second = rate > 0 ? allowed(fmt::format("{:.12g}Gbit", rate)) : "unknown";
      const std::string a = endpoint(cable.a);
      const std::string b = endpoint(cable.b);
      edges_text_ += fmt::format("  - ep1: {}\n    ep2: {}\n    scheme: one2one\n    link: {}\n", a,
                                 b, base::quoted(link->second));
    }
    if (down > 0)
      out_.notes.push_back({cluster_.cables.front().where,
                            fmt::format("{} cables that are down are left out", down), "",
                            Severity::warning});
  }

  void write_instances() {
    instances_text_ = "instances:\n";
    for (std::size_t i = 0; i < cluster_.nodes.size(); ++i) {
      const FoundNode& node = cluster_.nodes[i];
      Ports& ports = node_ports_[i];
      for (const FoundNic& nic : node.nics) {  // those without a cable too
        const std::string name = allowed(nic.name.empty() ? nic.id : nic.name);
        if (ports.cables.insert({name, 1}).second) ports.names.push_back(name);
      }
      std::string parts = component("cpu", "cpu", 1);
      if (node.gpus > 0) parts += component("xpu", "xpu", static_cast<std::size_t>(node.gpus));
      instance(node_names_[i],
               device("server", parts, ports, "nic", node.gpus > 0 ? "xpu" : "cpu"));
    }
    for (std::size_t i = 0; i < cluster_.switches.size(); ++i) {
      const std::string model = allowed(cluster_.switches[i].model);
      instance(switch_names_[i],
               device(model.empty() ? "switch" : model, component("asic", "cpu", 1),
                      switch_ports_[i], "port", "asic"));
    }
  }

  void instance(const std::string& name, const std::string& kind) {
    instances_text_ += fmt::format("  - {{name: {}, device: {}, count: 1}}\n", base::quoted(name),
                                   base::quoted(kind));
  }

  static std::string component(const std::string& name, std::string_view choice,
                               std::size_t count) {
    return fmt::format("      - {{name: {}, choice: {}, count: {}}}\n", base::quoted(name), choice,
                       count);
  }

  /// The name of the device with these parts, which is written when it is the first of them.
  std::string device(const std::string& base, std::string parts, const Ports& ports,
                     std::string_view port_kind, std::string_view hub) {
    std::string edges;
    std::vector<std::string> names = ports.names;
    std::sort(names.begin(), names.end());
    for (const std::string& name : names) {
      parts += component(name, port_kind, ports.cables.at(name));
      edges += fmt::format(
          "      - {{ep1: {{component: {}}}, ep2: {{component: {}}}, scheme: many2many, "
          "link: inside}}\n",
          hub, base::quoted(name));
    }
    const auto [found, added] = devices_.insert({base + "\n" + parts, ""});
    if (!added) return found->second;
    found->second = fmt::format("{}-{}", base, devices_.size());
    devices_text_ += fmt::format(
        "  - name: {}\n    components:\n{}    links:\n      - {{name: inside}}\n    edges:{}\n{}",
        base::quoted(found->second), parts, edges.empty() ? " []" : "", edges);
    return found->second;
  }

  const FoundCluster& cluster_;
  Exported out_;
  std::set<std::string> taken_;
  std::map<std::string, int> copies_;  ///< of names that came out equal
  int renamed_ = 0;
  std::vector<std::string> node_names_;
  std::vector<std::string> switch_names_;
  std::vector<Ports> node_ports_;
  std::vector<Ports> switch_ports_;
  std::map<double, std::string> links_;  ///< names by Gbit/s
  std::map<std::string, std::string> devices_;
  std::string devices_text_;
  std::string instances_text_;
  std::string edges_text_;
};

}  // namespace

base::Result<Exported> write_infragraph(const FoundCluster& cluster) {
  return Writer(cluster).write();
}

}  // namespace topology
