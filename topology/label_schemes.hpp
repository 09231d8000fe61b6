#pragma once

#include <array>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/document.hpp"

/// Which node labels tell the switches above a node, and in which direction they count. Values are
/// opaque: only equality of whole paths means anything.
namespace topology {

/// One known family of labels. Either `levels` are the keys, coarse to fine, or the keys are
/// `numbered` followed by a number.
struct LabelScheme {
  enum class Numbering { none, coarse_first, fine_first };

  std::string_view name;                     ///< what users write to choose it
  std::string_view written_by;               ///< for messages
  std::array<std::string_view, 3> levels{};  ///< empty places at the end are unused
  std::string_view numbered{};
  Numbering numbering = Numbering::none;
  /// With `coarse_first`: numbers above it exist only on some machine types, so that a node
  /// without them is complete all the same.
  int last_required = 99;
  int weak_levels = 0;  ///< leading levels that say where a node is but not behind which switch
};

/// All schemes, best first: when nodes carry several equally complete ones, the first is used.
std::span<const LabelScheme> label_schemes();
std::vector<std::string_view> label_scheme_names();

/// How far one level of a scheme is known.
struct LevelCoverage {
  std::string key;
  int nodes = 0;    ///< that carry the label with a value
  int domains = 0;  ///< distinct paths down to this level
};

/// A scheme as found on the nodes.
struct SchemeCoverage {
  std::string name;
  std::vector<LevelCoverage> levels;  ///< those that at least one node carries, coarse to fine
  int complete = 0;                   ///< nodes with every level
  int partial = 0;                    ///< nodes with some
  int absent = 0;                     ///< nodes with none
};

/// The switch tree that labels describe.
struct DomainTree {
  SchemeCoverage coverage;
  bool flat = true;                 ///< the labels tell no switches: assume one for all nodes
  std::string_view kind = "label";  ///< what a level is, for people
  std::string reason;  ///< why this scheme and no other; empty when there was no choice
  std::vector<SchemeCoverage> seen;  ///< every scheme found, the used one among them
  /// Per node, coarse to fine: empty text for a level it does not tell, no path if it tells none.
  std::vector<std::vector<std::string>> paths;
  std::vector<std::string> accelerator_domains;  ///< per node; empty: none known
  std::string accelerator_key;                   ///< where those come from
};

/// The value of a label; empty when it is absent, empty, or says "unknown" as some writers do.
std::string_view label_value(const base::Node* labels, std::string_view key);

struct LabelChoice {
  std::string scheme;               ///< name of a scheme; empty: the most complete one
  std::vector<std::string> levels;  ///< keys of the user's own, coarse to fine; wins over `scheme`
};

/// Reads the switch tree from the label maps of the nodes. \pre `choice.scheme` is a known name.
DomainTree read_domains(std::span<const base::Node* const> labels, const LabelChoice& choice);

/// Keys that look like topology and belong to no known scheme, each with the number of nodes.
std::vector<std::pair<std::string, int>> unknown_topology_keys(
    std::span<const base::Node* const> labels);

}  // namespace topology
