#include "topology/import/named_switches.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <unordered_map>

#include "topology/natural_order.hpp"
#include "topology/switch_domains.hpp"

namespace topology {

namespace {

using base::PlacedText;
using base::Severity;
constexpr std::size_t names_shown = 3;

class Hanger {
 public:
  Hanger(const std::vector<NamedSwitch>& switches, const NamedSwitchRules& rules, FoundCluster& to,
         base::Diagnostics& problems)
      : declared_(switches), rules_(rules), to_(to), problems_(problems) {}

  void hang() {
    const std::size_t before = problems_.size();
    for (std::size_t i = 0; i < declared_.size(); ++i) declare(i);
    for (std::size_t i = 0; i < declared_.size(); ++i) join(i);
    if (problems_.size() == before) find_tiers();
    if (problems_.size() > before) return;
    SwitchDomains domains = domains_of(to_.nodes.size(), switches_, joins_);
    for (std::size_t i = 0; i < to_.nodes.size(); ++i)
      to_.nodes[i].domains = std::move(domains.paths[i]);
    for (int tier = domains.tiers - 1; tier >= 0; --tier)
      to_.levels.push_back(fmt::format("{}{}", rules_.level_prefix, tier));
    tell(domains);
    sort_nodes(to_);
  }

 private:
  void error(const base::SourceRef& where, std::string message, std::string hint = "") {
    problems_.push_back({where, std::move(message), std::move(hint)});
  }

  void declare(std::size_t i) {
    const PlacedText& name = declared_[i].name;
    switches_.push_back({name.text, 0});
    if (!index_.insert({name.text, i}).second)
      error(name.where, fmt::format("the switch '{}' is given twice", name.text));
    if (declared_[i].nodes.empty() && declared_[i].switches.empty())
      error(name.where, fmt::format("the switch '{}' has neither nodes nor switches", name.text));
  }

  void join(std::size_t i) {
    for (const PlacedText& node : declared_[i].nodes) {
      const auto [found, added] = nodes_.insert({node.text, to_.nodes.size()});
      if (added) {
        FoundNode made;
        made.name = node.text;
        made.where = node.where;
        to_.nodes.push_back(std::move(made));
      }
      joins_.nodes.push_back({i, found->second});
    }
    for (const PlacedText& child : declared_[i].switches) {
      const auto found = index_.find(child.text);
      if (found != index_.end())
        joins_.switches.push_back({i, found->second});
      else if (!rules_.undeclared_switches)
        error(child.where, fmt::format("the switch '{}' is not declared", child.text),
              "give it a line of its own");
    }
  }

  /// A switch is one tier above its highest child.
  void find_tiers() {
    std::vector<std::vector<std::size_t>> parents(switches_.size());
    std::vector<std::size_t> children(switches_.size(), 0);
    for (const auto& [parent, child] : joins_.switches) {
      parents[child].push_back(parent);
      ++children[parent];
    }
    std::vector<std::size_t> ready;
    for (std::size_t i = 0; i < switches_.size(); ++i) {
      switches_[i].tier = 1;
      if (children[i] == 0) ready.push_back(i);
    }
    for (std::size_t next = 0; next < ready.size(); ++next)
      for (const std::size_t parent : parents[ready[next]]) {
        switches_[parent].tier = std::max(switches_[parent].tier, switches_[ready[next]].tier + 1);
        if (--children[parent] == 0) ready.push_back(parent);
      }
    if (ready.size() == switches_.size()) return check_depth();
    std::vector<std::string> names;
    for (std::size_t i = 0; i < switches_.size() && names.size() < names_shown; ++i)
      if (children[i] > 0) names.push_back(switches_[i].name);
    const PlacedText& first = declared_[index_.at(names.front())].name;
    error(first.where, fmt::format("switches stand below themselves: {} of them ({})",
                                   switches_.size() - ready.size(), fmt::join(names, ", ")));
  }

  void check_depth() {
    for (std::size_t i = 0; i < switches_.size(); ++i)
      if (switches_[i].tier == static_cast<int>(tiers_max) + 1)
        return error(declared_[i].name.where,
                     fmt::format("the switch '{}' has {} tiers of switches below it, at most {}",
                                 switches_[i].name, tiers_max, tiers_max - 1));
  }

  void tell(const SwitchDomains& domains) {
    for (const std::vector<std::string>& merged : domains.merged) {
      const std::vector<std::string> shown(
          merged.begin(), merged.begin() + static_cast<long>(std::min(merged.size(), names_shown)));
      to_.notes.push_back(
          {declared_[index_.at(merged.front())].name.where,
           fmt::format("{} switches share nodes or children and are taken as one: {}{}",
                       merged.size(), fmt::join(shown, ", "),
                       merged.size() > names_shown ? ", ..." : ""),
           "", Severity::note});
    }
  }

  const std::vector<NamedSwitch>& declared_;
  const NamedSwitchRules& rules_;
  FoundCluster& to_;
  base::Diagnostics& problems_;
  std::vector<TieredSwitch> switches_;
  SwitchJoins joins_;
  std::unordered_map<std::string, std::size_t> index_;
  std::unordered_map<std::string, std::size_t> nodes_;
};

}  // namespace

void hang_nodes(const std::vector<NamedSwitch>& switches, const NamedSwitchRules& rules,
                FoundCluster& to, base::Diagnostics& problems) {
  Hanger(switches, rules, to, problems).hang();
}

void sort_nodes(FoundCluster& cluster) {
  std::sort(cluster.nodes.begin(), cluster.nodes.end(),
            [](const FoundNode& a, const FoundNode& b) { return natural_less(a.name, b.name); });
}

}  // namespace topology
