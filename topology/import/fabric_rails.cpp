#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "topology/found_cluster_names.hpp"
#include "topology/import/fabric_shape.hpp"
#include "topology/import/remarks.hpp"
#include "topology/natural_order.hpp"

namespace topology {

namespace {

struct Natural {
  bool operator()(std::string_view a, std::string_view b) const { return natural_less(a, b); }
};

/// How many of `most` out of `all`: three quarters are enough for what broken cables leave.
bool nearly_all(std::size_t most, std::size_t all) { return 4 * most >= 3 * all; }

class RailFinder {
 public:
  RailFinder(FoundCluster& cluster, const base::SourceRef& where)
      : cluster_(cluster), where_(where), wires_of_(cluster.nodes.size()) {
    for (const FoundCable& cable : cluster.cables) add(cable);
    for (std::vector<std::size_t>& wires : wires_of_)
      if (wires.size() > nics_max) wires.clear();
  }

  void run() {
    rank_names();
    if (rank_of_.size() < 2) return;
    for (const Wire& wire : wires_)
      if (const std::optional<int> rank = rank_of(wire)) ++ranks_on_[wire.leaf][*rank];
    if (ranks_on_.size() < 2) return;
    if (!has_rails()) {
      note("no rails in the cabling: NICs of a node share leaves, or hang on them in no order");
      return;
    }
    for (const auto& [leaf, ranks] : ranks_on_) name_leaf(leaf, ranks);
    for (const Wire& wire : wires_) name_nic(wire);
    note(fmt::format("rails found in the cabling: {} over {} leaves, {} of {} cables of nodes fit",
                     rails_.size(), ranks_on_.size(), fit_, wires_.size()));
    remarks_.report(cluster_.notes);
  }

 private:
  /// A cable of a node.
  struct Wire {
    std::size_t node = 0;
    std::string_view nic;
    std::size_t leaf = 0;
    base::SourceRef where;
  };
  using Ranks = std::map<int, std::size_t>;  ///< cables of each rank

  void add(const FoundCable& cable) {
    const bool from_a = cable.a.at == CableEnd::At::node;
    const CableEnd& near = from_a ? cable.a : cable.b;
    const CableEnd& far = from_a ? cable.b : cable.a;
    if (near.at != CableEnd::At::node || far.at != CableEnd::At::fabric_switch) return;
    const FoundSwitch& leaf = cluster_.switches[far.index];
    if (leaf.role != FabricRole::compute || leaf.tier != 1) return;
    wires_of_[near.index].push_back(wires_.size());
    wires_.push_back({near.index, near.nic, far.index, cable.where});
  }

  /// The NICs of a node that are known by name.
  std::vector<std::string_view> named_nics(std::size_t node) const {
    std::vector<std::string_view> names;
    for (const std::size_t wire : wires_of_[node])
      if (std::any_of(cluster_.nodes[node].nics.begin(), cluster_.nodes[node].nics.end(),
                      [&](const FoundNic& nic) { return nic.name == wires_[wire].nic; }))
        names.push_back(wires_[wire].nic);
    std::sort(names.begin(), names.end(), Natural());
    names.erase(std::unique(names.begin(), names.end()), names.end());
    return names;
  }

  /// Ranks of NIC names, as nodes of the most common number of NICs have them: a node that lacks
  /// one does not shift the others.
  void rank_names() {
    std::map<std::size_t, int> sizes;
    std::vector<std::vector<std::string_view>> nics;
    for (std::size_t node = 0; node < cluster_.nodes.size(); ++node) {
      nics.push_back(named_nics(node));
      if (!nics.back().empty()) ++sizes[nics.back().size()];
    }
    const auto usual =
        std::max_element(sizes.begin(), sizes.end(), [](const auto& a, const auto& b) {
          return a.second < b.second || (a.second == b.second && a.first < b.first);
        });
    if (usual == sizes.end() || usual->first < 2) return;
    std::map<std::string_view, std::map<int, int>> votes;
    for (const auto& names : nics)
      for (std::size_t rank = 0; names.size() == usual->first && rank < names.size(); ++rank)
        ++votes[names[rank]][static_cast<int>(rank)];
    for (const auto& [name, ranks] : votes)
      rank_of_[name] =
          std::max_element(ranks.begin(), ranks.end(), [](const auto& a, const auto& b) {
            return a.second < b.second;
          })->first;
  }

  std::optional<int> rank_of(const Wire& wire) const {
    const auto at = rank_of_.find(wire.nic);
    return at == rank_of_.end() ? std::nullopt : std::optional(at->second);
  }

  /// The rank of most cables of a leaf; nothing where it is not most of them.
  static std::optional<int> rail_of(const Ranks& ranks) {
    std::size_t all = 0;
    const auto* most = &*ranks.begin();
    for (const auto& entry : ranks) {
      all += entry.second;
      if (entry.second > most->second) most = &entry;
    }
    return nearly_all(most->second, all) ? std::optional(most->first) : std::nullopt;
  }

  bool has_rails() {
    std::size_t pure = 0;
    for (const auto& [leaf, ranks] : ranks_on_)
      if (const std::optional<int> rail = rail_of(ranks)) {
        ++pure;
        ++rails_[*rail];
      }
    return rails_.size() > 1 && nearly_all(pure, ranks_on_.size());
  }

  void name_leaf(std::size_t index, const Ranks& ranks) {
    FoundSwitch& leaf = cluster_.switches[index];
    const std::optional<int> rail = rail_of(ranks);
    if (!rail)
      remarks_.add("leaves of no single rail", name_of(leaf), where_, "", base::Severity::warning);
    else if (leaf.rail < 0)
      leaf.rail = *rail;
  }

  void name_nic(const Wire& wire) {
    const FoundSwitch& leaf = cluster_.switches[wire.leaf];
    const std::optional<int> rank = rank_of(wire);
    const bool fits = !rank || leaf.rail < 0 || *rank == leaf.rail;
    fit_ += fits && leaf.rail >= 0 ? 1 : 0;
    if (!fits) tell_exception(wire, *rank);
    if (wires_of_[wire.node].empty()) return;
    for (FoundNic& nic : cluster_.nodes[wire.node].nics)
      if (nic.rail < 0 && (nic.name.empty() ? nic.id : nic.name) == wire.nic) nic.rail = leaf.rail;
  }

  void tell_exception(const Wire& wire, int rank) {
    std::string what;
    if (exceptions_++ < exceptions_told) {
      const std::optional<std::size_t> expected = usual_leaf(wire, rank);
      what =
          fmt::format("{}/{} is on {}{}", cluster_.nodes[wire.node].name, wire.nic,
                      name_of(cluster_.switches[wire.leaf]),
                      expected ? fmt::format(", expected {}", name_of(cluster_.switches[*expected]))
                               : std::string());
    }
    remarks_.add("NICs on the leaf of another rail", std::move(what), wire.where,
                 "are their cables swapped? they are taken to be of the rail they are on",
                 base::Severity::warning);
  }

  /// Where nodes that share another leaf with this one have their NIC of `rank`.
  std::optional<std::size_t> usual_leaf(const Wire& odd, int rank) const {
    std::map<std::size_t, int> votes;
    for (const std::size_t own : wires_of_[odd.node]) {
      const Wire& wire = wires_[own];
      if (rank_of(wire) != std::optional(cluster_.switches[wire.leaf].rail)) continue;
      for (const Wire& other : wires_)
        if (other.leaf == wire.leaf)
          for (const std::size_t peer : wires_of_[other.node])
            if (wires_[peer].node != odd.node && rank_of(wires_[peer]) == std::optional(rank))
              ++votes[wires_[peer].leaf];
      break;  // one leaf in its right place tells the unit
    }
    const auto most =
        std::max_element(votes.begin(), votes.end(),
                         [](const auto& a, const auto& b) { return a.second < b.second; });
    return most == votes.end() ? std::nullopt : std::optional(most->first);
  }

  void note(std::string message) {
    cluster_.notes.push_back({where_, std::move(message), "", base::Severity::note});
  }

  /// More cables than any node has: the NICs of one with more are not looked at.
  static constexpr std::size_t nics_max = 256;
  static constexpr int exceptions_told = 4;

  FoundCluster& cluster_;
  base::SourceRef where_;
  std::vector<Wire> wires_;
  std::vector<std::vector<std::size_t>> wires_of_;  ///< of each node
  std::map<std::string_view, int> rank_of_;         ///< of NIC names
  std::map<std::size_t, Ranks> ranks_on_;           ///< of each leaf
  std::map<int, int> rails_;                        ///< leaves of each rail
  Remarks remarks_;
  std::size_t fit_ = 0;
  int exceptions_ = 0;
};

}  // namespace

void find_rails(FoundCluster& cluster, const base::SourceRef& where) {
  RailFinder(cluster, where).run();
}

}  // namespace topology
