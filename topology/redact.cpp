#include "topology/redact.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "topology/found_cluster_names.hpp"
#include "topology/natural_order.hpp"

namespace topology {

namespace {

/// Numbers for names, in their natural order.
class Numbers {
 public:
  void add(const std::string& name) {
    if (!name.empty()) names_.push_back(name);
  }
  void settle() {
    std::sort(names_.begin(), names_.end(), natural_less);
    names_.erase(std::unique(names_.begin(), names_.end()), names_.end());
    for (std::size_t i = 0; i < names_.size(); ++i) of_[names_[i]] = i + 1;
    digits_ = static_cast<int>(std::to_string(names_.size()).size());
  }
  /// Empty for the empty name.
  std::string operator()(std::string_view prefix, const std::string& name) const {
    return name.empty() ? name : fmt::format("{}{:0{}}", prefix, of_.at(name), digits_);
  }

 private:
  std::vector<std::string> names_;
  std::map<std::string, std::size_t> of_;
  int digits_ = 1;
};

class Redactor {
 public:
  explicit Redactor(const FoundCluster& found) : found_(found), levels_(found.levels.size()) {
    for (const FoundNode& node : found.nodes) {
      nodes_.add(node.name);
      for (std::size_t i = 0; i < node.domains.size(); ++i) levels_[i].add(node.domains[i]);
      accelerators_.add(node.accelerator_domain);
      partitions_.add(node.accelerator_partition);
      for (const Occupant& one : node.occupants) jobs_.add(one.job);
    }
    for (const FoundSwitch& one : found.switches) switches_[one.tier].add(one.id);
    for (Numbers* numbers : {&nodes_, &accelerators_, &partitions_, &jobs_}) numbers->settle();
    for (Numbers& numbers : levels_) numbers.settle();
    for (auto& [tier, numbers] : switches_) numbers.settle();
  }

  FoundCluster run() const {
    FoundCluster out;
    for (const FoundCluster::Source& source : found_.sources)
      out.sources.push_back({source.format, "redacted", ""});
    for (std::size_t i = 0; i < found_.levels.size(); ++i)
      out.levels.push_back(fmt::format("L{}", height(i)));
    for (const FoundNode& node : found_.nodes) out.nodes.push_back(redacted(node));
    for (const FoundSwitch& one : found_.switches) out.switches.push_back(redacted(one));
    for (FoundCable cable : found_.cables) {
      for (CableEnd* end : {&cable.a, &cable.b})
        if (end->at == CableEnd::At::node) end->nic = nic_name(found_.nodes[end->index], end->nic);
      cable.trouble.clear();
      cable.where = {};
      out.cables.push_back(std::move(cable));
    }
    return out;
  }

 private:
  /// Levels are counted from the nodes up, as tiers are.
  std::size_t height(std::size_t level) const { return found_.levels.size() - level; }

  static std::string nic_name(const FoundNode& node, const std::string& name) {
    for (std::size_t i = 0; i < node.nics.size(); ++i)
      if (name == name_of(node.nics[i])) return fmt::format("nic{}", i);
    return "";
  }

  FoundNode redacted(const FoundNode& node) const {
    FoundNode out = node;
    out.name = nodes_("n", node.name);
    out.aliases.clear();
    out.where = {};
    for (std::size_t i = 0; i < out.domains.size(); ++i)
      out.domains[i] = levels_[i](fmt::format("L{}-", height(i)), node.domains[i]);
    out.accelerator_domain = accelerators_("nvl-", node.accelerator_domain);
    out.accelerator_partition = partitions_("clique-", node.accelerator_partition);
    for (std::size_t i = 0; i < out.nics.size(); ++i) {
      out.nics[i].name = fmt::format("nic{}", i);
      out.nics[i].id.clear();
    }
    for (Occupant& one : out.occupants) {
      one.job = jobs_("job-", one.job);
      one.pod.clear();
    }
    return out;
  }

  FoundSwitch redacted(const FoundSwitch& one) const {
    FoundSwitch out = one;
    out.id = switches_.at(one.tier)(fmt::format("L{}-", one.tier), one.id);
    out.name.clear();
    out.where = {};
    return out;
  }

  const FoundCluster& found_;
  Numbers nodes_;
  Numbers accelerators_;
  Numbers partitions_;
  Numbers jobs_;
  std::vector<Numbers> levels_;
  std::map<int, Numbers> switches_;  ///< by tier
};

}  // namespace

FoundCluster redact(const FoundCluster& found) { return Redactor(found).run(); }

}  // namespace topology
