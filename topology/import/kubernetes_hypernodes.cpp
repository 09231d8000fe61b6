#include "topology/import/kubernetes_hypernodes.hpp"

#include <fmt/format.h>
#include <re2/re2.h>

#include <algorithm>
#include <charconv>
#include <map>
#include <optional>
#include <set>
#include <unordered_set>

#include "topology/import/name_search.hpp"
#include "topology/natural_order.hpp"
#include "topology/node_tally.hpp"

namespace topology {

namespace {

using base::Node;
using base::Severity;

constexpr std::size_t tiers_max = 32;
constexpr int warnings_shown = 20;  ///< of ten thousand like it these are enough

struct HyperNode {
  const KubernetesObject* object = nullptr;
  int tier = 0;
  std::optional<std::size_t> parent;
};

class Reader {
 public:
  Reader(const KubernetesObjects& objects, const std::vector<GpuNode>& nodes,
         base::Diagnostics& notes)
      : nodes_(nodes), notes_(notes), owners_(nodes.size()) {
    for (const KubernetesObject* node : objects.of("", "Node")) all_nodes_.insert(node->name);
    for (const KubernetesObject* object : objects.of("topology.volcano.sh", "HyperNode"))
      hypers_.push_back({object, tier_of(*object), {}});
    std::sort(hypers_.begin(), hypers_.end(), [](const HyperNode& a, const HyperNode& b) {
      return natural_less(a.object->name, b.object->name);
    });
    std::vector<std::string_view> names;
    for (const GpuNode& node : nodes) names.push_back(node.node->name);
    node_names_ = NameSearch(names);
    names.clear();
    for (const HyperNode& hyper : hypers_) names.push_back(hyper.object->name);
    hyper_names_ = NameSearch(names);
  }

  base::Result<HyperNodeTree> read() {
    for (std::size_t i = 0; i < hypers_.size(); ++i)
      for (const Node& member : items_at(map_at(hypers_[i].object->node, "spec"), "members"))
        add_member(i, member);
    if (node_names_.exhausted() || hyper_names_.exhausted())
      error(*hypers_.front().object, *hypers_.front().object->node,
            "too many selectors of HyperNodes for so many nodes", "name the members exactly");
    std::set<int, std::greater<>> tiers;
    for (const HyperNode& hyper : hypers_) tiers.insert(hyper.tier);
    if (tiers.size() > tiers_max)
      error(*hypers_.front().object, *hypers_.front().object->node,
            fmt::format("HyperNodes of {} tiers; at most {} are read", tiers.size(), tiers_max),
            "");
    if (!problems_.empty()) return tl::unexpected(std::move(problems_));
    HyperNodeTree tree = build({tiers.begin(), tiers.end()});
    report();
    return tree;
  }

 private:
  int tier_of(const KubernetesObject& object) {
    const std::string_view text = text_at(map_at(object.node, "spec"), "tier");
    int tier = 0;
    const auto [end, wrong] = std::from_chars(text.data(), text.data() + text.size(), tier);
    if (wrong != std::errc() || end != text.data() + text.size() || tier < 0 || text.empty())
      error(object, *object.node, fmt::format("HyperNode '{}' has no tier", object.name),
            "spec.tier is a whole number, lower is closer");
    return tier;
  }

  void add_member(std::size_t owner, const Node& member) {
    const KubernetesObject& object = *hypers_[owner].object;
    const Node* selector = map_at(&member, "selector");
    const std::string_view type = text_at(&member, "type");
    if (const std::string_view name = text_at(&member, "name");
        selector == nullptr && !name.empty())
      return add_exact(owner, name, type, member);  // as in Volcano's first design
    const Node* exact = map_at(selector, "exactMatch");
    const Node* regex = map_at(selector, "regexMatch");
    const Node* labels = map_at(selector, "labelMatch");
    if ((exact != nullptr) + (regex != nullptr) + (labels != nullptr) != 1)
      return error(
          object, member,
          fmt::format("this member of HyperNode '{}' has not exactly one selector", object.name),
          "one of exactMatch, regexMatch, labelMatch");
    if (type != "Node" && type != "HyperNode")
      return error(object, member,
                   fmt::format("this member of HyperNode '{}' is of no known type", object.name),
                   "type: Node, or type: HyperNode");
    if (exact != nullptr) return add_exact(owner, text_at(exact, "name"), type, member);
    if (labels != nullptr && type == "HyperNode")
      return error(object, member, "labelMatch selects nodes, not HyperNodes", "");
    if (labels != nullptr) return add_labelled(owner, *labels);
    add_matching(owner, *regex, type);
  }

  void add_exact(std::size_t owner, std::string_view name, std::string_view type,
                 const Node& member) {
    if (type != "Node")
      if (const auto hyper = hyper_names_.find(name)) return join(owner, *hyper, member);
    if (type == "HyperNode") return count_unknown(owner, member, name);
    if (const auto node = node_names_.find(name))
      owners_[*node].push_back(owner);
    else if (all_nodes_.count(name) == 0)
      count_unknown(owner, member, name);
  }

  void add_matching(std::size_t owner, const Node& regex, std::string_view type) {
    const KubernetesObject& object = *hypers_[owner].object;
    const std::string pattern(text_at(&regex, "pattern"));
    RE2::Options options;
    options.set_log_errors(false);
    const RE2 compiled(pattern, options);  // the syntax of Go, in linear time
    if (pattern.empty() || !compiled.ok())
      return error(object, regex,
                   pattern.empty() ? std::string("this regexMatch has no pattern")
                                   : fmt::format("'{}' is no regular expression: {}", pattern,
                                                 compiled.error()),
                   "the syntax is that of Go");
    for (const std::size_t found : (type == "Node" ? node_names_ : hyper_names_).match(compiled)) {
      if (type == "Node")
        owners_[found].push_back(owner);
      else
        join(owner, found, regex);
    }
  }

  void add_labelled(std::size_t owner, const Node& selector) {
    for (std::size_t i = 0; i < nodes_.size(); ++i) {
      if (!node_names_.spend()) return;
      if (holds(selector, nodes_[i].node->labels)) owners_[i].push_back(owner);
    }
  }

  /// As metav1.LabelSelector: all of its requirements.
  static bool holds(const Node& selector, const Node* labels) {
    if (const Node* wanted = map_at(&selector, "matchLabels"))
      for (const Node::Entry& entry : wanted->entries) {
        const Node* value = labels == nullptr ? nullptr : labels->find(entry.key);
        if (value == nullptr || value->text != entry.value.text) return false;
      }
    for (const Node& expression : items_at(&selector, "matchExpressions")) {
      const Node* value = labels == nullptr ? nullptr : labels->find(text_at(&expression, "key"));
      const std::span<const Node> values = items_at(&expression, "values");
      const bool among =
          value != nullptr && std::any_of(values.begin(), values.end(),
                                          [&](const Node& one) { return one.text == value->text; });
      const std::string_view how = text_at(&expression, "operator");
      const bool match = how == "In"             ? among
                         : how == "NotIn"        ? !among
                         : how == "Exists"       ? value != nullptr
                         : how == "DoesNotExist" ? value == nullptr
                                                 : false;
      if (!match) return false;
    }
    return true;
  }

  void join(std::size_t owner, std::size_t child, const Node& member) {
    HyperNode& below = hypers_[child];
    const HyperNode& above = hypers_[owner];
    if (below.tier >= above.tier) {
      warn(
          *above.object, member,
          fmt::format("HyperNode '{}' of tier {} has the member '{}' of tier {}; it does not count",
                      above.object->name, above.tier, below.object->name, below.tier),
          "tiers grow from members to what holds them");
    } else if (below.parent && *below.parent != owner) {
      warn(*above.object, member,
           fmt::format("HyperNode '{}' is a member of '{}' and of '{}'; the first counts",
                       below.object->name, hypers_[*below.parent].object->name, above.object->name),
           "");
    } else {
      below.parent = owner;
    }
  }

  HyperNodeTree build(const std::vector<int>& tiers) {
    HyperNodeTree tree;
    if (hypers_.empty()) return tree;
    for (const int tier : tiers) tree.levels.push_back(fmt::format("hypernode tier {}", tier));
    for (std::size_t i = 0; i < nodes_.size(); ++i) {
      std::vector<std::string> path(tiers.size());
      for (const std::size_t owner : owners_[i])
        for (std::optional<std::size_t> at = owner; at; at = hypers_[*at].parent) {
          const HyperNode& hyper = hypers_[*at];
          const auto place = static_cast<std::size_t>(
              std::find(tiers.begin(), tiers.end(), hyper.tier) - tiers.begin());
          if (path[place].empty())
            path[place] = hyper.object->name;
          else if (path[place] != hyper.object->name)
            twice_.add(*nodes_[i].node, Severity::warning,
                       fmt::format("in several HyperNodes of tier {}; the first by name counts",
                                   hyper.tier));
        }
      const bool told = std::any_of(path.begin(), path.end(),
                                    [](const std::string& name) { return !name.empty(); });
      tree.paths.push_back(told ? std::move(path) : std::vector<std::string>());
    }
    return tree;
  }

  void count_unknown(std::size_t owner, const Node& member, std::string_view name) {
    if (unknown_++ > 0) return;
    first_unknown_ = hypers_[owner].object->document->where(member);
    first_unknown_name_ = name;
  }

  void report() {
    twice_.report(notes_);
    if (warnings_ > warnings_shown)
      notes_.push_back({hypers_.front().object->where(),
                        fmt::format("{} on members of HyperNodes left out",
                                    count_of(warnings_ - warnings_shown, "more warning")),
                        "", Severity::note});
    if (unknown_ > 0)
      notes_.push_back(
          {first_unknown_,
           fmt::format("{} of HyperNodes not in the dump: '{}'{}", count_of(unknown_, "member"),
                       first_unknown_name_, unknown_ > 1 ? ", ..." : ""),
           "", Severity::warning});
  }

  void error(const KubernetesObject& object, const Node& at, std::string message,
             std::string hint) {
    problems_.push_back({object.document->where(at), std::move(message), std::move(hint)});
  }
  void warn(const KubernetesObject& object, const Node& at, std::string message, std::string hint) {
    if (++warnings_ <= warnings_shown)
      notes_.push_back(
          {object.document->where(at), std::move(message), std::move(hint), Severity::warning});
  }

  const std::vector<GpuNode>& nodes_;
  base::Diagnostics& notes_;
  base::Diagnostics problems_;
  std::vector<HyperNode> hypers_;
  std::vector<std::vector<std::size_t>> owners_;    ///< per node: HyperNodes that it is a member of
  std::unordered_set<std::string_view> all_nodes_;  ///< those without GPUs, too
  NameSearch node_names_;
  NameSearch hyper_names_;
  NodeTally twice_;
  int unknown_ = 0;
  int warnings_ = 0;
  base::SourceRef first_unknown_;
  std::string first_unknown_name_;
};

}  // namespace

base::Result<HyperNodeTree> read_hypernodes(const KubernetesObjects& objects,
                                            const std::vector<GpuNode>& nodes,
                                            base::Diagnostics& notes) {
  return Reader(objects, nodes, notes).read();
}

}  // namespace topology
