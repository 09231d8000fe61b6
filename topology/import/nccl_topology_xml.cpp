#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <map>
#include <optional>
#include <set>

#include "base/document.hpp"
#include "topology/import/node_inside.hpp"
#include "topology/xml_places.hpp"

namespace topology {

namespace {

using base::BytesPerSecond;
using base::Severity;

constexpr std::string_view nvswitch_class = "0x068000";
constexpr std::size_t devices_max = 256;  // of a host

/// Raw rate of one NVLink, one direction, GB/s, by the compute capability of the GPU: NVIDIA's data
/// sheets of P100 (4 links, 80), V100 (6, 150), A100 (12, 300), H100 (18, 450), B200 and B300 (18,
/// 900).
constexpr std::array<std::pair<int, double>, 6> nvlink_gbyte{
    {{60, 20}, {70, 25}, {80, 25}, {90, 25}, {100, 50}, {103, 50}}};

/// Raw rate of 16 lanes, one direction, GB/s, by the words that Linux has for the speed of a lane
/// (PCI Express base specification: 128b/130b coding from 8 GT/s, flits at 64).
constexpr std::array<std::pair<std::string_view, double>, 6> pcie_gbyte{
    {{"2.5", 4}, {"5", 8}, {"8", 15.75}, {"16", 31.5}, {"32", 63}, {"64", 121}}};

/// What NCCL takes where the speed is not known: 6 Gb/s a lane, 16 lanes.
constexpr double pcie_unknown_gbyte = 12;
constexpr int lanes_unknown = 16;

struct Gpu {
  pugi::xml_node node;  ///< <gpu>
  int dev = 0;
};

struct Net {
  pugi::xml_node node;  ///< <net>
};

struct Host {
  std::string hash;
  std::vector<Gpu> gpus;
  std::vector<Net> nets;
  base::SourceRef where;
};

class Reader {
 public:
  Reader(std::string_view text, const std::string& file)
      : text_(text), file_(file), places_(text, file) {}

  base::Result<FoundCluster> read() {
    pugi::xml_document document;
    if (const auto broken = load_xml(document, text_, places_)) {
      problems_.push_back(*broken);
      return tl::unexpected(std::move(problems_));
    }
    const pugi::xml_node system = document.child("system");
    if (!system) {
      error({file_}, "there is no element <system>", "write it with NCCL_TOPO_DUMP_FILE=FILE");
      return tl::unexpected(std::move(problems_));
    }
    if (std::string_view(system.attribute("version").value()) != "1")
      error(places_.of(system),
            fmt::format("'version' is '{}', must be 1", system.attribute("version").value()));
    for (const pugi::xml_node& cpu : system.children("cpu")) collect(cpu);
    std::size_t gpus = 0;
    for (auto& [hash, host] : hosts_) {
      add_host(host);
      gpus += host.gpus.size();
    }
    if (problems_.empty() && gpus == 0)
      error(places_.of(system), "there is no GPU in it", "write it on a node with GPUs");
    if (!problems_.empty()) return tl::unexpected(std::move(problems_));
    found_.sources.push_back(
        {"nccl-topology", file_, fmt::format("{} hosts, {} GPUs", hosts_.size(), gpus)});
    return std::move(found_);
  }

 private:
  void error(const base::SourceRef& where, std::string message, std::string hint = "") {
    problems_.push_back({where, std::move(message), std::move(hint)});
  }
  void note(const base::SourceRef& where, Severity severity, std::string message) {
    found_.notes.push_back({where, std::move(message), "", severity});
  }

  /// All GPUs and NICs below a CPU. Without recursion: the depth is the file's.
  void collect(const pugi::xml_node& cpu) {
    const std::string hash = cpu.attribute("host_hash").value();
    Host& host = hosts_[hash];
    if (host.where.line == 0) {
      host.hash = hash;
      host.where = places_.of(cpu);
    }
    int depth = 0;
    for (pugi::xml_node at = cpu.first_child(); at;) {
      const std::string_view name = at.name();
      if (name == "gpu") {
        host.gpus.push_back({at, whole(at, "dev")});
      } else if (name == "net") {
        host.nets.push_back({at});
      } else if (at.first_child() && (name == "pci" || name == "nic")) {
        if (++depth > base::document_depth_max)
          return error(places_.of(at),
                       fmt::format("elements nest more than {} deep", base::document_depth_max));
        at = at.first_child();
        continue;
      }
      while (at != cpu && !at.next_sibling()) {
        at = at.parent();
        --depth;
      }
      at = at == cpu ? pugi::xml_node() : at.next_sibling();
    }
    if (host.gpus.size() > devices_max || host.nets.size() > devices_max)
      error(places_.of(cpu), fmt::format("more than {} GPUs or NICs in a host", devices_max));
  }

  int whole(const pugi::xml_node& node, const char* name) {
    const std::string_view text = node.attribute(name).value();
    int value = 0;
    const auto read = std::from_chars(text.data(), text.data() + text.size(), value);
    if (read.ec == std::errc() && read.ptr == text.data() + text.size() && value >= 0) return value;
    error(places_.of(node), text.empty()
                                ? fmt::format("<{}> has no '{}'", node.name(), name)
                                : fmt::format("'{}' is '{}', must be a whole number", name, text));
    return 0;
  }

  void add_host(Host& host) {
    std::stable_sort(host.gpus.begin(), host.gpus.end(),
                     [](const Gpu& a, const Gpu& b) { return a.dev < b.dev; });
    for (std::size_t i = 1; i < host.gpus.size(); ++i)
      if (host.gpus[i].dev == host.gpus[i - 1].dev)
        error(places_.of(host.gpus[i].node),
              fmt::format("GPU {} is given twice", host.gpus[i].dev));
    if (!problems_.empty() || host.gpus.empty()) return;
    FoundNode node;
    node.gpus = static_cast<int>(host.gpus.size());
    node.where = host.where;
    node.inside.push_back(inside_of(host));
    add_nics(host, node);
    // Hosts of one kind are one node of the answer.
    const std::string kind = kind_of(node);
    if (!kinds_.insert(kind).second) return;
    if (hosts_.size() > 1) node.aliases.push_back(host.hash);
    found_.nodes.push_back(std::move(node));
  }

  static std::string kind_of(const FoundNode& node) {
    const FoundInside& inside = node.inside.front();
    std::string kind = fmt::format("{} {} {} {}", node.gpus, static_cast<int>(inside.scale_up),
                                   inside.scale_up_rate.byte(), inside.pcie_rate.byte());
    for (const FoundNic& nic : node.nics) {
      kind += fmt::format(" {} {} {}:", nic.name, nic.rate.byte(), nic.ports);
      for (const int gpu : nic.gpus) kind += fmt::format(" {}", gpu);
    }
    return kind;
  }

  FoundInside inside_of(const Host& host) {
    FoundInside inside;
    std::set<int> capabilities;
    std::optional<double> pcie;
    for (const Gpu& gpu : host.gpus) {
      capabilities.insert(whole(gpu.node, "sm"));
      const double rate = pcie_of(gpu.node.parent());
      pcie = pcie ? std::min(*pcie, rate) : rate;
    }
    inside.pcie_rate = BytesPerSecond::from_gbyte(*pcie);
    std::string names;
    for (const int sm : capabilities) names += fmt::format("{}{}", names.empty() ? "" : ", ", sm);
    note(host.where, Severity::note,
         fmt::format("the GPUs have compute capability {}; which model they are is not told",
                     names));
    read_links(host, *capabilities.begin(), inside);
    return inside;
  }

  /// GB/s of the link of a <pci>.
  double pcie_of(const pugi::xml_node& pci) {
    const std::string_view speed = pci.attribute("link_speed").value();
    const std::string_view width = pci.attribute("link_width").value();
    std::string_view number = speed.substr(0, speed.find(' '));
    if (number.ends_with(".0")) number.remove_suffix(2);
    int lanes = 0;
    std::from_chars(width.data(), width.data() + width.size(), lanes);
    const auto known = std::find_if(pcie_gbyte.begin(), pcie_gbyte.end(),
                                    [&](const auto& row) { return row.first == number; });
    if ((known == pcie_gbyte.end() || lanes <= 0 || lanes > 32) && !pcie_told_) {
      pcie_told_ = true;
      note(
          places_.of(pci), Severity::warning,
          fmt::format("PCIe '{}' x '{}' is no known speed (a virtual machine?); NCCL takes {} GB/s "
                      "for 16 lanes, and so is done here",
                      speed, width, pcie_unknown_gbyte));
    }
    if (lanes <= 0 || lanes > 32) lanes = lanes_unknown;
    return (known == pcie_gbyte.end() ? pcie_unknown_gbyte : known->second) * lanes / 16;
  }

  void read_links(const Host& host, int sm, FoundInside& inside) {
    bool switched = false;
    bool foreign = false;
    int fewest = -1;
    int most = 0;
    std::size_t fewest_peers = host.gpus.size();
    for (const Gpu& gpu : host.gpus) {
      int links = 0;
      std::set<std::string_view> peers;
      for (const pugi::xml_node& link : gpu.node.children()) {
        const std::string_view name = link.name();
        foreign = foreign || name == "xgmi";
        if (name != "nvlink" && name != "xgmi") continue;
        links = std::min(links + whole(link, "count"), 1000);
        switched = switched || std::string_view(link.attribute("tclass").value()) == nvswitch_class;
        peers.insert(link.attribute("target").value());
      }
      fewest = fewest < 0 ? links : std::min(fewest, links);
      most = std::max(most, links);
      fewest_peers = std::min(fewest_peers, peers.size());
    }
    if (most == 0) {
      inside.scale_up = host.gpus.size() > 1 ? ScaleUpKind::pcie : ScaleUpKind::none;
      return;
    }
    inside.scale_up = switched ? ScaleUpKind::nvswitch : ScaleUpKind::mesh;
    if (!switched && fewest_peers + 1 < host.gpus.size())
      note(host.where, Severity::warning,
           "not every pair of GPUs has a direct link; it is taken as a mesh of even links");
    if (fewest != most)
      note(host.where, Severity::warning,
           fmt::format("GPUs have {} to {} links; the fewest count", fewest, most));
    const auto known = std::find_if(nvlink_gbyte.begin(), nvlink_gbyte.end(),
                                    [&](const auto& row) { return row.first == sm; });
    if (foreign || known == nvlink_gbyte.end())
      note(host.where, Severity::note,
           fmt::format("the rate of a link of these GPUs ({}) is not known", sm));
    else
      inside.scale_up_rate = BytesPerSecond::from_gbyte(known->second * fewest);
  }

  /// A NIC is nearest to the GPUs below the lowest PCIe switch that has any, else to those of its
  /// CPU, as NCCL's path types rank them. The guid is no FoundNic::id: it is that of the card, in
  /// the byte order of the machine.
  void add_nics(const Host& host, FoundNode& node) {
    std::map<pugi::xml_node, std::vector<int>> below;
    for (std::size_t i = 0; i < host.gpus.size(); ++i)
      for (pugi::xml_node at = host.gpus[i].node.parent(); at; at = at.parent())
        below[at].push_back(static_cast<int>(i));
    for (const Net& net : host.nets) {
      const std::string name = net.node.attribute("name").value();
      const BytesPerSecond rate =
          BytesPerSecond::from_gbit(static_cast<double>(whole(net.node, "speed")) / 1000);
      const auto same = std::find_if(node.nics.begin(), node.nics.end(), [&](const FoundNic& nic) {
        return !name.empty() && nic.name == name;
      });
      if (same != node.nics.end()) {  // another port of it
        ++same->ports;
        same->rate += rate;
        continue;
      }
      FoundNic nic;
      nic.name = name;
      nic.rate = rate;
      for (pugi::xml_node at = net.node.parent();
           at && nic.gpus.empty() && std::string_view(at.name()) != "system"; at = at.parent())
        if (const auto gpus = below.find(at); gpus != below.end()) nic.gpus = gpus->second;
      node.nics.push_back(std::move(nic));
    }
  }

  std::string_view text_;
  std::string file_;
  XmlPlaces places_;
  std::map<std::string, Host> hosts_;  ///< by hash
  std::set<std::string> kinds_;
  FoundCluster found_;
  base::Diagnostics problems_;
  bool pcie_told_ = false;
};

}  // namespace

bool is_nccl_topology(std::string_view text) {
  text = text.substr(0, 4096);
  const std::size_t system = text.find("<system");
  return system != std::string_view::npos && text.find("<cpu", system) != std::string_view::npos;
}

base::Result<FoundCluster> read_nccl_topology(std::span<const DumpFile> files,
                                              const ImportContext&) {
  return Reader(files.front().text, files.front().name).read();
}

}  // namespace topology
