#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <optional>

#include "base/document.hpp"
#include "base/map_reader.hpp"
#include "topology/import/named_switches.hpp"
#include "topology/import/placed_hosts.hpp"
#include "topology/import/slurm.hpp"
#include "topology/import/slurm_blocks.hpp"

namespace topology {

namespace {

using base::Document;
using base::MapReader;
using base::PlacedText;
using base::Severity;

/// The plugins a topology.yaml may name (Slurm 26.05).
enum class Plugin { tree, block, ring, flat, torus };
constexpr std::array<std::pair<std::string_view, Plugin>, 5> plugins{{
    {"tree", Plugin::tree},
    {"block", Plugin::block},
    {"ring", Plugin::ring},
    {"flat", Plugin::flat},
    {"torus3d", Plugin::torus},
}};

/// One entry of the list.
struct Entry {
  std::string name;
  bool is_default = false;
  Plugin plugin = Plugin::flat;
  std::vector<NamedSwitch> switches;
  std::vector<SlurmBlock> blocks;
  base::SourceRef where;
};

class Reader {
 public:
  explicit Reader(const Document& document) : document_(document) {}

  base::Result<FoundCluster> read() {
    if (document_.root.kind != base::Node::Kind::sequence)
      error(document_.where(document_.root), "must be a list of topologies",
            "see the manual page topology.yaml(5)");
    for (const base::Node& item : document_.root.items) read_entry(item);
    const Entry* chosen = problems_.empty() ? choose() : nullptr;
    FoundCluster found;
    if (chosen != nullptr) take(*chosen, found);
    if (!problems_.empty()) return tl::unexpected(std::move(problems_));
    found.notes.insert(found.notes.end(), notes_.begin(), notes_.end());
    found.sources.push_back(
        {"slurm-yaml", document_.files.front(),
         fmt::format("topology '{}', {} nodes", chosen->name, found.nodes.size())});
    return found;
  }

 private:
  void error(const base::SourceRef& where, std::string message, std::string hint = "") {
    problems_.push_back({where, std::move(message), std::move(hint)});
  }

  void read_entry(const base::Node& item) {
    MapReader reader(document_, item, "", problems_);
    Entry entry;
    entry.where = reader.where();
    reader.require("topology", entry.name);
    reader.read("cluster_default", entry.is_default);
    std::vector<std::string_view> given;
    for (const auto& [name, plugin] : plugins)
      if (reader.find(name) != nullptr) {
        given.push_back(name);
        entry.plugin = plugin;
      }
    if (given.size() != 1)
      error(entry.where,
            given.empty() ? std::string("this topology says nothing of its plugin")
                          : fmt::format("one topology has {}", fmt::join(given, " and ")),
            "one of tree, block, ring, flat, torus3d");
    else
      read_plugin(reader, given.front(), entry);
    reader.finish();
    entries_.push_back(std::move(entry));
  }

  void read_plugin(MapReader& reader, std::string_view name, Entry& entry) {
    if (entry.plugin == Plugin::flat || entry.plugin == Plugin::torus) return;
    auto map = reader.required_map(name);
    if (!map) return;
    const bool tree = entry.plugin == Plugin::tree;
    const std::string_view item = tree                            ? "switch"
                                  : entry.plugin == Plugin::block ? "block"
                                                                  : "ring";
    for (MapReader& one : map->maps(tree                            ? "switches"
                                    : entry.plugin == Plugin::block ? "blocks"
                                                                    : "rings"))
      read_item(one, item, entry);
    map->find("block_sizes");  // what Slurm hands out, not how the blocks are joined
    map->finish();
  }

  void read_item(MapReader& reader, std::string_view key, Entry& entry) {
    std::string name;
    reader.require(key, name);
    const PlacedText placed{name, reader.where(key)};
    const std::vector<PlacedText> nodes = hosts(reader, "nodes");
    if (entry.plugin == Plugin::tree) {
      const std::vector<PlacedText> children = hosts(reader, "children");
      if (!nodes.empty() && !children.empty())
        error(reader.where("nodes"),
              fmt::format("the switch '{}' has both nodes and children", name),
              "give the nodes a switch of their own");
      entry.switches.push_back({placed, children, nodes});
    } else {
      if (nodes.empty()) error(placed.where, fmt::format("'{}' has no nodes", name));
      entry.blocks.push_back({placed, nodes});
    }
    reader.find("link_speed");  // arbitrary, Slurm does not use it either
    reader.finish();
  }

  std::vector<PlacedText> hosts(MapReader& reader, std::string_view key) {
    std::string text;
    if (!reader.read(key, text)) return {};
    return hosts_.expand({text, reader.where(key)});
  }

  const Entry* choose() {
    const auto says_something = [](const Entry& entry) {
      return !entry.switches.empty() || !entry.blocks.empty();
    };
    const Entry* chosen = nullptr;
    for (const Entry& entry : entries_)
      if (says_something(entry) && (chosen == nullptr || (entry.is_default && !chosen->is_default)))
        chosen = &entry;
    for (const Entry& entry : entries_) {
      if (&entry == chosen) continue;
      const bool torus = entry.plugin == Plugin::torus;
      const std::string message =
          torus ? fmt::format("the topology '{}' is a torus, which is not supported", entry.name)
                : fmt::format("the topology '{}' is not used", entry.name);
      if (chosen == nullptr)
        error(entry.where,
              torus ? message : fmt::format("the topology '{}' tells no switches", entry.name));
      else
        notes_.push_back({entry.where, message, "", Severity::note});
    }
    if (entries_.empty()) error(document_.where(document_.root), "the list is empty");
    return chosen;
  }

  void take(const Entry& entry, FoundCluster& found) {
    if (entry.plugin == Plugin::tree)
      hang_nodes(entry.switches, {"slurm level ", false}, found, problems_);
    else
      hang_blocks(entry.blocks, entry.plugin == Plugin::ring ? "ring" : "block", found, problems_);
  }

  const Document& document_;
  std::vector<Entry> entries_;
  base::Diagnostics problems_;
  PlacedHosts hosts_{problems_};
  base::Diagnostics notes_;
};

}  // namespace

bool is_slurm_yaml(std::string_view text) {
  // The first key of the first entry, in whatever order people write them, is near the top.
  text = text.substr(0, 4096);
  return text.find("topology:") != std::string_view::npos &&
         (text.find("cluster_default:") != std::string_view::npos ||
          text.find("- topology:") != std::string_view::npos);
}

base::Result<FoundCluster> read_slurm_yaml(std::span<const DumpFile> files, const ImportContext&) {
  const auto document = base::parse_yaml(files.front().text, files.front().name);
  if (!document) return tl::unexpected(document.error());
  return Reader(*document).read();
}

}  // namespace topology
