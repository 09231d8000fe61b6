#include <fmt/format.h>

#include <unordered_map>

#include "base/document.hpp"
#include "base/map_reader.hpp"
#include "topology/import/named_switches.hpp"
#include "topology/import/placed_hosts.hpp"
#include "topology/import/topograph.hpp"

namespace topology {

namespace {

using base::MapReader;
using base::PlacedText;

/// The NVLink domain of a node, and its part of it.
struct Accelerators {
  std::string domain;
  std::string part;
};

class Reader {
 public:
  explicit Reader(const base::Document& document) : document_(document) {}

  base::Result<FoundCluster> read() {
    MapReader root(document_, document_.root, "", problems_);
    if (root.required_map("switches"))
      for (const base::Node::Entry& entry : root.find("switches")->entries) read_switch(entry);
    for (MapReader& block : root.maps("blocks")) read_block(block);
    // Older models; what instances cost to reserve is not how they are joined.
    for (const std::string_view key : {"nodes", "capacity_blocks"}) root.find(key);
    root.finish();
    FoundCluster found;
    if (problems_.empty()) {
      merge_blocks();
      hang_nodes(switches_, {"fabric.topograph.run/tier-", true}, found, problems_);
    }
    if (!problems_.empty()) return tl::unexpected(std::move(problems_));
    for (FoundNode& node : found.nodes) {
      const auto domain = accelerators_.find(node.name);
      if (domain == accelerators_.end()) continue;
      node.accelerator_domain = domain->second.domain;
      node.accelerator_partition = domain->second.part;
    }
    found.sources.push_back(
        {"topograph", document_.files.front(),
         fmt::format("{} nodes, {} switches", found.nodes.size(), switches_.size())});
    return found;
  }

 private:
  void read_switch(const base::Node::Entry& entry) {
    NamedSwitch made{{entry.key, {document_.files.front(), entry.line, entry.column}}, {}, {}};
    if (entry.value.kind != base::Node::Kind::null) {
      MapReader map(document_, entry.value, "switches." + entry.key, problems_);
      map.find("labels");
      map.find("annotations");
      made.switches = hosts(map, "switches");
      made.nodes = hosts(map, "nodes");
      map.finish();
    }
    index_.insert({entry.key, switches_.size()});
    switches_.push_back(std::move(made));
  }

  void read_block(MapReader& block) {
    std::string name;
    block.require("switch", name);
    block.find("labels");
    Accelerators accelerators;
    if (auto annotations = block.map("annotations"))
      for (const std::string_view key : annotations->keys()) {
        const bool is_part = key.ends_with("/sub-domain");
        if (!key.starts_with("accelerator.") || (!is_part && !key.ends_with("/domain")))
          annotations->find(key);
        else
          annotations->read(key, is_part ? accelerators.part : accelerators.domain);
      }
    const std::vector<PlacedText> nodes = hosts(block, "nodes");
    if (!accelerators.domain.empty())
      for (const PlacedText& node : nodes)
        if (!accelerators_.insert({node.text, accelerators}).second)
          problems_.push_back(
              {node.where, fmt::format("the node '{}' is in two blocks", node.text)});
    blocks_.push_back({{name, block.where("switch")}, {}, nodes});
    block.finish();
  }

  /// Several blocks may be of one switch, and one that only a block names is a leaf.
  void merge_blocks() {
    for (NamedSwitch& block : blocks_) {
      const auto [found, added] = index_.insert({block.name.text, switches_.size()});
      if (added)
        switches_.push_back(std::move(block));
      else
        switches_[found->second].nodes.insert(switches_[found->second].nodes.end(),
                                              block.nodes.begin(), block.nodes.end());
    }
    // A leaf that is declared and never used: it has no nodes yet.
    std::erase_if(switches_,
                  [](const NamedSwitch& one) { return one.nodes.empty() && one.switches.empty(); });
  }

  /// Names and ranges of names in a list.
  std::vector<PlacedText> hosts(MapReader& reader, std::string_view key) {
    std::vector<PlacedText> lists;
    std::vector<PlacedText> names;
    reader.read(key, lists);
    for (const PlacedText& list : lists) {
      auto expanded = hosts_.expand(list);
      names.insert(names.end(), std::make_move_iterator(expanded.begin()),
                   std::make_move_iterator(expanded.end()));
    }
    return names;
  }

  const base::Document& document_;
  base::Diagnostics problems_;
  PlacedHosts hosts_{problems_};
  std::vector<NamedSwitch> switches_;
  std::vector<NamedSwitch> blocks_;
  std::unordered_map<std::string, std::size_t> index_;  ///< of switches by name
  std::unordered_map<std::string, Accelerators> accelerators_;
};

/// Whether a line begins with `key`.
bool has_root_key(std::string_view text, std::string_view key) {
  for (std::size_t at = text.find(key); at != std::string_view::npos; at = text.find(key, at + 1))
    if (at == 0 || text[at - 1] == '\n') return true;
  return false;
}

}  // namespace

bool is_topograph_model(std::string_view text) {
  return has_root_key(text, "switches:") &&
         (has_root_key(text, "blocks:") || has_root_key(text, "nodes:"));
}

base::Result<FoundCluster> read_topograph_model(std::span<const DumpFile> files,
                                                const ImportContext&) {
  const auto document = base::parse_yaml(files.front().text, files.front().name);
  if (!document) return tl::unexpected(document.error());
  return Reader(*document).read();
}

}  // namespace topology
