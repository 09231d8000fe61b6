#include <algorithm>
#include <cstdint>
#include <map>
#include <utility>
#include <vector>

#include "base/mix.hpp"
#include "topology/found_cluster_names.hpp"
#include "topology/survey.hpp"

namespace topology {

namespace {

using Colour = std::uint64_t;

struct Neighbour {
  std::size_t to = 0;
  Colour cable = 0;  ///< equal for equal cables
};

Colour hash_of(const std::string& text) {
  Colour hash = 0;
  for (const char c : text) hash = base::mix(hash ^ static_cast<unsigned char>(c));
  return hash;
}

/// Nodes first, then switches.
class Refinement {
 public:
  explicit Refinement(const FoundCluster& found) : nodes_(found.nodes.size()) {
    for (const FoundNode& node : found.nodes)
      colours_.push_back(base::mix(hash_of(node.type + "/" + node.gpu) ^
                                   static_cast<Colour>(std::max(node.gpus, -1) + 2)));
    for (const FoundSwitch& one : found.switches)
      colours_.push_back(base::mix(static_cast<Colour>(one.tier) + 0x5157));
    next_.resize(colours_.size());
    add_tree(found);
    for (const FoundCable& cable : found.cables) {
      const Colour kind =
          base::mix(static_cast<Colour>(cable.rate.byte()) * 4 + static_cast<Colour>(cable.state));
      join(vertex_of(cable.a), vertex_of(cable.b), kind);
    }
  }

  /// Splits until nothing splits any more. Every round but the last adds a colour, and networks are
  /// flat: rounds are as many as there are levels, not devices.
  void run() {
    for (std::size_t before = 0, now = count(); now > before; before = now, now = count()) {
      std::vector<Colour> fresh(colours_.size());
      for (std::size_t v = 0; v < colours_.size(); ++v) {
        Colour sum = 0;  // a sum forgets the order of neighbours
        for (const Neighbour& one : next_[v])
          sum += base::mix(base::mix(colours_[one.to]) ^ one.cable);
        fresh[v] = base::mix(colours_[v] * 3 + base::mix(sum));
      }
      colours_ = std::move(fresh);
    }
  }

  Colour of(std::size_t vertex) const { return colours_[vertex]; }

 private:
  std::size_t vertex_of(const CableEnd& end) const {
    return end.at == CableEnd::At::node ? end.index : nodes_ + end.index;
  }

  void join(std::size_t a, std::size_t b, Colour kind) {
    next_[a].push_back({b, kind});
    next_[b].push_back({a, kind});
  }

  /// Domains are vertices behind those of `found`; each is joined to its parent once.
  void add_tree(const FoundCluster& found) {
    std::map<std::vector<std::string>, std::size_t> domains;
    for (std::size_t node = 0; node < nodes_; ++node) {
      std::vector<std::string> path;
      std::size_t above = next_.size();
      bool placed = false;
      for (const std::string& name : found.nodes[node].domains) {
        path.push_back(name);
        if (name.empty()) continue;
        const auto [at, is_new] = domains.emplace(path, colours_.size());
        if (is_new) {
          colours_.push_back(base::mix(path.size()));
          next_.emplace_back();
          if (placed) join(above, at->second, path.size());
        }
        above = at->second;
        placed = true;
      }
      if (placed) join(node, above, 0);
    }
  }

  std::size_t count() const {
    std::vector<Colour> sorted = colours_;
    std::sort(sorted.begin(), sorted.end());
    return static_cast<std::size_t>(std::unique(sorted.begin(), sorted.end()) - sorted.begin());
  }

  std::size_t nodes_;
  std::vector<Colour> colours_;
  std::vector<std::vector<Neighbour>> next_;
};

}  // namespace

std::vector<SymmetryClass> symmetry_classes(const FoundCluster& found) {
  Refinement refinement(found);
  refinement.run();
  std::vector<SymmetryClass> classes;
  const auto collect = [&](std::size_t first, std::size_t count, bool switches, auto name_of) {
    std::map<Colour, std::size_t> at;
    const std::size_t begin = classes.size();
    for (std::size_t i = 0; i < count; ++i) {
      const auto [found_at, is_new] = at.emplace(refinement.of(first + i), classes.size());
      if (is_new) classes.push_back({switches, 0, name_of(i)});
      ++classes[found_at->second].members;
    }
    std::stable_sort(classes.begin() + static_cast<std::ptrdiff_t>(begin), classes.end(),
                     [](const auto& a, const auto& b) { return a.members > b.members; });
  };
  collect(0, found.nodes.size(), false, [&](std::size_t i) { return found.nodes[i].name; });
  collect(found.nodes.size(), found.switches.size(), true,
          [&](std::size_t i) { return name_of(found.switches[i]); });
  return classes;
}

}  // namespace topology
