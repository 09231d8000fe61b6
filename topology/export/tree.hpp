#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/diagnostic.hpp"
#include "topology/found_cluster.hpp"

namespace topology {

/// A switch of the tree of domains, with a name that no other has.
struct ExportSwitch {
  std::string name;
  std::optional<std::size_t> parent;  ///< nothing: a root
  int height = 1;                     ///< 1: only nodes below it
  std::vector<std::size_t> switches;
  std::vector<std::size_t> nodes;  ///< directly below it
};

/// The cluster as a tree: what schedulers can be told.
struct ExportTree {
  std::vector<const FoundNode*> nodes;  ///< those with names, in natural order
  std::vector<ExportSwitch> switches;   ///< parents before children, by their first node
  std::vector<std::size_t> loose;       ///< nodes below no switch
};

/// What a format takes for a name, and what it cannot say.
struct ExportRules {
  std::size_t name_max = 0;
  /// Other letters become '-'; none: all may stand. Lower case only where `lower_case`.
  std::string_view letters;
  bool lower_case = false;
  bool nodes_apart = false;  ///< a switch has nodes or switches, never both
  bool keeps_accelerators = false;
};

inline constexpr std::string_view name_letters =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.";
inline constexpr std::string_view dns_letters = "abcdefghijklmnopqrstuvwxyz0123456789-.";

/// The nodes with names, in natural order. A mistake when there is none, or a name has a character
/// that is not among `letters` (empty: any may stand).
base::Result<std::vector<const FoundNode*>> export_nodes(const FoundCluster& cluster,
                                                         std::string_view letters,
                                                         base::Diagnostics& notes);

/// Domains of the nodes where they have any, else what the cables tell (see domains_of; switches of
/// storage and management networks are left out). Names that several switches have are written with
/// their parents' names before them. A mistake when no node has a name, one of them is no name in
/// `rules.letters`, or there is no switch.
base::Result<ExportTree> export_tree(const FoundCluster& cluster, const ExportRules& rules,
                                     base::Diagnostics& notes);

/// Nodes below a switch, directly or not, in their order. By index of the switch.
std::vector<std::vector<std::size_t>> nodes_below(const ExportTree& tree);

/// Their names.
std::vector<std::string> names_of(const ExportTree& tree, const std::vector<std::size_t>& nodes);
std::vector<std::string> switch_names(const ExportTree& tree,
                                      const std::vector<std::size_t>& switches);

}  // namespace topology
