#include "topology/export/tree.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <map>
#include <numeric>
#include <set>
#include <tuple>

#include "base/mix.hpp"
#include "topology/found_paths.hpp"
#include "topology/natural_order.hpp"
#include "topology/switch_domains.hpp"

namespace topology {

namespace {

using base::Severity;
using Path = std::vector<std::string>;

class TreeMaker {
 public:
  TreeMaker(const ExportRules& rules, base::Diagnostics& notes) : rules_(rules), notes_(notes) {}

  base::Result<ExportTree> make(const FoundCluster& found) {
    auto nodes = export_nodes(found, rules_.letters, notes_);
    if (!nodes) return tl::unexpected(std::move(nodes.error()));
    tree_.nodes = std::move(*nodes);
    const DomainPaths paths = domain_paths(found);
    if (!paths.merged.empty())
      notes_.push_back({found.switches.front().where,
                        fmt::format("{} times switches that reach the same nodes are written as "
                                    "one (first: {} for {} of them)",
                                    paths.merged.size(), paths.merged.front().front(),
                                    paths.merged.front().size()),
                        "", Severity::note});
    for (std::size_t i = 0; i < tree_.nodes.size(); ++i)
      hang(i, paths.of_node[static_cast<std::size_t>(tree_.nodes[i] - found.nodes.data())]);
    if (tree_.switches.empty())
      return tl::unexpected(base::Diagnostics{
          {tree_.nodes.front()->where, "nothing tells which switches the nodes are below",
           "import a dump that has switches or topology labels too"}});
    if (rules_.nodes_apart) move_nodes_apart();
    put_in_order();
    find_heights();
    name_switches();
    if (!tree_.loose.empty())
      notes_.push_back({tree_.nodes[tree_.loose.front()]->where,
                        fmt::format("{} nodes are below no switch and are left out (first: {})",
                                    tree_.loose.size(), tree_.nodes[tree_.loose.front()]->name),
                        "", Severity::warning});
    tell_losses(found);
    return std::move(tree_);
  }

 private:
  void hang(std::size_t node, const Path& path) {
    std::optional<std::size_t> at;
    for (std::size_t level = 0; level < path.size(); ++level) {
      if (path[level].empty()) continue;
      const auto key = std::tuple(at ? *at + 1 : 0, level, path[level]);
      const auto [found, added] = by_path_.insert({key, tree_.switches.size()});
      if (added) add(at, path[level]);
      at = found->second;
    }
    if (at)
      tree_.switches[*at].nodes.push_back(node);
    else
      tree_.loose.push_back(node);
  }

  std::size_t add(std::optional<std::size_t> parent, const std::string& name) {
    const std::size_t index = tree_.switches.size();
    ExportSwitch made;
    made.parent = parent;
    tree_.switches.push_back(std::move(made));
    raw_names_.push_back(name);
    if (parent) tree_.switches[*parent].switches.push_back(index);
    return index;
  }

  void move_nodes_apart() {
    std::size_t moved = 0;
    const std::size_t count = tree_.switches.size();
    for (std::size_t i = 0; i < count; ++i) {
      if (tree_.switches[i].nodes.empty() || tree_.switches[i].switches.empty()) continue;
      const std::size_t leaf = add(i, raw_names_[i] + ".nodes");
      std::swap(tree_.switches[leaf].nodes, tree_.switches[i].nodes);
      ++moved;
    }
    if (moved > 0)
      notes_.push_back({tree_.nodes.front()->where,
                        fmt::format("{} switches have nodes beside other switches; these nodes "
                                    "are written below a switch NAME.nodes of their own",
                                    moved),
                        "", Severity::note});
  }

  /// Parents before children, by their first node, however they were made.
  void put_in_order() {
    const std::size_t count = tree_.switches.size();
    std::vector<std::pair<std::size_t, std::size_t>> place(count);  // first node, depth
    const auto below = nodes_below(tree_);
    for (std::size_t i = 0; i < count; ++i) {
      const auto parent = tree_.switches[i].parent;
      place[i] = {below[i].front(), parent ? place[*parent].second + 1 : 0};
    }
    std::vector<std::size_t> order(count);
    std::iota(order.begin(), order.end(), std::size_t{0});
    std::sort(order.begin(), order.end(),
              [&](std::size_t a, std::size_t b) { return place[a] < place[b]; });
    std::vector<std::size_t> moved_to(count);
    for (std::size_t i = 0; i < count; ++i) moved_to[order[i]] = i;
    std::vector<ExportSwitch> switches;
    std::vector<std::string> names;
    for (const std::size_t from : order) {
      ExportSwitch& one = switches.emplace_back(std::move(tree_.switches[from]));
      if (one.parent) one.parent = moved_to[*one.parent];
      for (std::size_t& child : one.switches) child = moved_to[child];
      std::sort(one.switches.begin(), one.switches.end());
      names.push_back(std::move(raw_names_[from]));
    }
    tree_.switches = std::move(switches);
    raw_names_ = std::move(names);
  }

  void find_heights() {
    for (std::size_t i = tree_.switches.size(); i-- > 0;)
      if (const auto parent = tree_.switches[i].parent)
        tree_.switches[*parent].height =
            std::max(tree_.switches[*parent].height, tree_.switches[i].height + 1);
  }

  std::string allowed(std::string_view name) const {
    std::string out(name);
    for (char& c : out) {
      if (rules_.lower_case && c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
      if (!rules_.letters.empty() && rules_.letters.find(c) == std::string_view::npos) c = '-';
    }
    // Names of Kubernetes objects begin and end with a letter or digit.
    const auto odd = [](char c) { return c == '-' || c == '.' || c == '_'; };
    while (rules_.lower_case && !out.empty() && odd(out.back())) out.pop_back();
    while (rules_.lower_case && !out.empty() && odd(out.front())) out.erase(0, 1);
    return out;
  }

  void name_switches() {
    std::map<std::string, int> uses;
    for (const std::string& name : raw_names_) ++uses[allowed(name)];
    std::set<std::string> taken;
    std::size_t changed = 0;
    std::string example;
    for (std::size_t i = 0; i < tree_.switches.size(); ++i) {
      ExportSwitch& one = tree_.switches[i];
      one.name = allowed(raw_names_[i]);
      if (uses[one.name] > 1 && one.parent)
        one.name = fmt::format("{}.{}", tree_.switches[*one.parent].name, one.name);
      if (one.name.empty() || one.name.size() > rules_.name_max || taken.contains(one.name))
        one.name = shortened(i, one.name, taken);
      taken.insert(one.name);
      if (one.name == raw_names_[i]) continue;
      if (changed++ == 0) example = fmt::format("'{}' as {}", raw_names_[i], one.name);
    }
    if (changed > 0)
      notes_.push_back({tree_.nodes.front()->where,
                        fmt::format("{} of {} switches are written under another name, since the "
                                    "format wants short and unique ones (first: {})",
                                    changed, tree_.switches.size(), example),
                        "", Severity::note});
  }

  /// The beginning of the name and a hash of its place in the tree.
  std::string shortened(std::size_t index, const std::string& name,
                        const std::set<std::string>& taken) const {
    constexpr std::size_t hash_letters = 8;
    std::uint64_t hash = index;
    for (const char c : name) hash = base::mix(hash ^ static_cast<unsigned char>(c));
    for (;; hash = base::mix(hash)) {
      const std::string end = fmt::format("x{:08x}", hash & 0xFFFFFFFFU);
      const std::string begin = name.substr(0, rules_.name_max - hash_letters - 2);
      std::string made = begin.empty() ? end : fmt::format("{}-{}", begin, end);
      if (!taken.contains(made)) return made;
    }
  }

  /// One note for all that was known and is not written.
  void tell_losses(const FoundCluster& found) {
    std::vector<std::string> lost;
    const auto count = [&](auto has) {
      return std::count_if(found.nodes.begin(), found.nodes.end(), has);
    };
    const auto add_loss = [&](std::string_view what, long number) {
      if (number > 0) lost.push_back(fmt::format("{} ({})", what, number));
    };
    add_loss("cables", static_cast<long>(found.cables.size()));
    add_loss("nodes' NICs", count([](const FoundNode& n) { return !n.nics.empty(); }));
    add_loss("nodes' GPUs",
             count([](const FoundNode& n) { return n.gpus >= 0 || !n.type.empty(); }));
    add_loss("nodes' jobs", count([](const FoundNode& n) { return !n.occupants.empty(); }));
    if (!rules_.keeps_accelerators)
      add_loss("nodes' NVLink domains",
               count([](const FoundNode& n) { return !n.accelerator_domain.empty(); }));
    if (!lost.empty())
      notes_.push_back({tree_.nodes.front()->where,
                        fmt::format("known and not written, as the format has no place for it: {}",
                                    fmt::join(lost, ", ")),
                        "", Severity::note});
  }

  const ExportRules& rules_;
  base::Diagnostics& notes_;
  ExportTree tree_;
  std::vector<std::string> raw_names_;  ///< of the switches
  /// Of a switch: index of its parent and 1, or 0; its level; its name.
  std::map<std::tuple<std::size_t, std::size_t, std::string>, std::size_t> by_path_;
};

}  // namespace

base::Result<std::vector<const FoundNode*>> export_nodes(const FoundCluster& cluster,
                                                         std::string_view letters,
                                                         base::Diagnostics& notes) {
  std::vector<const FoundNode*> nodes;
  base::Diagnostics problems;
  for (const FoundNode& node : cluster.nodes) {
    if (node.name.empty()) continue;
    nodes.push_back(&node);
    if (!letters.empty() && node.name.find_first_not_of(letters) != std::string::npos)
      problems.push_back({node.where, fmt::format("'{}' is no node name in this format", node.name),
                          "letters, digits, '-', '_' and '.'"});
  }
  if (nodes.empty())
    problems.push_back({cluster.sources.empty() ? base::SourceRef{"cluster"}
                                                : base::SourceRef{cluster.sources.front().file},
                        "no node has a name",
                        "a dump of one node's inside says nothing of the others"});
  else if (nodes.size() < cluster.nodes.size())
    notes.push_back(
        {nodes.front()->where,
         fmt::format("{} nodes without names are left out", cluster.nodes.size() - nodes.size()),
         "", Severity::warning});
  if (!problems.empty()) return tl::unexpected(std::move(problems));
  std::stable_sort(nodes.begin(), nodes.end(), [](const FoundNode* a, const FoundNode* b) {
    return natural_less(a->name, b->name);
  });
  return nodes;
}

base::Result<ExportTree> export_tree(const FoundCluster& cluster, const ExportRules& rules,
                                     base::Diagnostics& notes) {
  return TreeMaker(rules, notes).make(cluster);
}

std::vector<std::vector<std::size_t>> nodes_below(const ExportTree& tree) {
  std::vector<std::vector<std::size_t>> below(tree.switches.size());
  for (std::size_t i = tree.switches.size(); i-- > 0;) {
    below[i].insert(below[i].end(), tree.switches[i].nodes.begin(), tree.switches[i].nodes.end());
    std::sort(below[i].begin(), below[i].end());
    if (const auto parent = tree.switches[i].parent)
      below[*parent].insert(below[*parent].end(), below[i].begin(), below[i].end());
  }
  return below;
}

std::vector<std::string> names_of(const ExportTree& tree, const std::vector<std::size_t>& nodes) {
  std::vector<std::string> names;
  for (const std::size_t node : nodes) names.push_back(tree.nodes[node]->name);
  return names;
}

std::vector<std::string> switch_names(const ExportTree& tree,
                                      const std::vector<std::size_t>& switches) {
  std::vector<std::string> names;
  for (const std::size_t one : switches) names.push_back(tree.switches[one].name);
  return names;
}

}  // namespace topology
