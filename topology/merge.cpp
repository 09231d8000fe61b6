#include "topology/merge.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>

#include "topology/node_names.hpp"
#include "topology/node_tally.hpp"

namespace topology {

namespace {

using base::Severity;

std::string file_of(const FoundCluster& dump) {
  return dump.sources.empty() ? std::string("a dump") : dump.sources.front().file;
}

bool differs(std::string_view have, std::string_view told) { return have != told; }
bool differs(int have, int told) { return have != told; }
bool differs(base::BytesPerSecond have, base::BytesPerSecond told) {
  return std::abs(have / told - 1) >
         0.01;  // "100 Gbit/s" and 103.125 Gbaud are told apart elsewhere
}

bool is_known(const std::string& value) { return !value.empty(); }
bool is_known(int value) { return value >= 0; }
bool is_known(base::BytesPerSecond value) { return value > base::BytesPerSecond(); }

/// Fills in what is unknown; whether the two contradict.
template <class T>
bool fill(T& have, const T& told) {
  if (!is_known(told)) return false;
  if (is_known(have)) return differs(have, told);
  have = told;
  return false;
}

class Merger {
 public:
  void add(FoundCluster dump) {
    const bool first = out_.sources.empty();
    file_ = file_of(dump);
    const bool tree = take_levels(dump);
    std::vector<std::size_t> nodes;
    const std::size_t before = out_.nodes.size();
    std::size_t known = 0;
    for (FoundNode& node : dump.nodes) {
      if (!tree) node.domains.clear();
      if (node.name.empty()) {
        nodes.push_back(0);  // no cable leads to it
        insides_.push_back({std::move(node), file_});
        continue;
      }
      const std::optional<std::size_t> at = find(node, before);
      known += at ? 1 : 0;
      nodes.push_back(at ? *at : out_.nodes.size());
      at ? join(out_.nodes[*at], std::move(node)) : out_.nodes.push_back(std::move(node));
    }
    for (std::size_t i = before; i < out_.nodes.size(); ++i) names_.add(out_.nodes[i], i);
    if (!first) count_strangers(before, known, out_.nodes.size());
    add_fabric(dump, nodes);
    append(out_.sources, dump.sources);
    append(out_.declared, dump.declared);
    append(out_.notes, dump.notes);
    tally_.report(out_.notes);
    tally_ = NodeTally();
  }

  FoundCluster take() {
    for (const Inside& inside : insides_) spread(inside);
    tally_.report(out_.notes);
    return std::move(out_);
  }

 private:
  /// What a dump of a node's inside tells of any node like it.
  struct Inside {
    FoundNode node;
    std::string file;
  };

  template <class T>
  static void append(std::vector<T>& to, std::vector<T>& more) {
    to.insert(to.end(), std::make_move_iterator(more.begin()), std::make_move_iterator(more.end()));
  }

  void note(std::string message, std::string hint = {}, Severity severity = Severity::note) {
    out_.notes.push_back({{file_}, std::move(message), std::move(hint), severity});
  }

  /// Whether the domains of the dump are used: there is one tree, that of the first dump with one.
  bool take_levels(const FoundCluster& dump) {
    if (dump.levels.empty() || dump.levels == out_.levels) return true;
    if (out_.levels.empty()) {
      out_.levels = dump.levels;
      tree_file_ = file_;
      return true;
    }
    note(fmt::format("its switch tree is not used: {} tells one with other levels", tree_file_),
         "name the dump whose tree you trust first", Severity::warning);
    return false;
  }

  /// The node of earlier dumps that has one of these names.
  std::optional<std::size_t> find(const FoundNode& node, std::size_t before) const {
    const std::optional<std::size_t> at = names_.find(node);
    return at && *at < before ? at : std::nullopt;
  }

  void contradiction(const FoundNode& node, std::string_view what) {
    tally_.add(node, Severity::warning,
               fmt::format("of which {} says another {} than earlier dumps; the earlier is taken",
                           file_, what));
  }

  void join(FoundNode& have, FoundNode told) {
    const auto take = [&](auto& mine, const auto& theirs, std::string_view what) {
      if (fill(mine, theirs)) contradiction(have, what);
    };
    take(have.type, told.type, "node type");
    take(have.gpu, told.gpu, "GPU");
    take(have.gpus, told.gpus, "number of GPUs");
    take(have.usable_gpus, told.usable_gpus, "number of usable GPUs");
    take(have.free_gpus, told.free_gpus, "number of free GPUs");
    if (have.unavailable.empty()) have.unavailable = told.unavailable;
    take(have.accelerator_domain, told.accelerator_domain, "NVLink domain");
    take(have.accelerator_partition, told.accelerator_partition, "NVLink partition");
    if (have.domains.empty())
      have.domains = std::move(told.domains);
    else if (!told.domains.empty() && told.domains != have.domains)
      contradiction(have, "place in the switch tree");
    for (std::string& alias : told.aliases) add_alias(have, std::move(alias));
    if (told.name != have.name) add_alias(have, std::move(told.name));
    join_inside(have, told);
    if (have.occupants.empty()) have.occupants = std::move(told.occupants);
  }

  static void add_alias(FoundNode& node, std::string alias) {
    if (alias != node.name &&
        std::find(node.aliases.begin(), node.aliases.end(), alias) == node.aliases.end())
      node.aliases.push_back(std::move(alias));
  }

  void join_inside(FoundNode& have, const FoundNode& told) {
    if (have.inside.empty()) have.inside = told.inside;
    if (have.nics.empty()) {
      have.nics = told.nics;
      return;
    }
    for (const FoundNic& nic : told.nics) join_nic(have, nic);
  }

  void join_nic(FoundNode& node, const FoundNic& told) {
    const auto have = std::find_if(node.nics.begin(), node.nics.end(), [&](const FoundNic& nic) {
      return (!told.id.empty() && nic.id == told.id) ||
             (!told.name.empty() && nic.name == told.name);
    });
    if (have == node.nics.end()) {
      node.nics.push_back(told);
      return;
    }
    fill(have->name, told.name);
    fill(have->id, told.id);
    if (fill(have->rate, told.rate)) contradiction(node, "rate of a NIC");
    if (fill(have->rail, told.rail)) contradiction(node, "rail of a NIC");
    have->ports = std::max(have->ports, told.ports);
    if (have->role == FabricRole::unknown) have->role = told.role;
    if (have->gpus.empty()) have->gpus = told.gpus;
  }

  void count_strangers(std::size_t before, std::size_t known, std::size_t after) {
    if (after == before) return;
    if (before > 0)
      note(fmt::format("{} that no earlier dump names: {}{}",
                       count_of(static_cast<int>(after - before), "node"), out_.nodes[before].name,
                       after - before > 1 ? ", ..." : ""),
           known == 0 ? "do the dumps call nodes by different names?" : "",
           known == 0 ? Severity::warning : Severity::note);
  }

  void add_fabric(FoundCluster& dump, const std::vector<std::size_t>& nodes) {
    std::vector<std::size_t> switches;
    for (FoundSwitch& found : dump.switches) {
      const auto [at, is_new] = switch_index_.emplace(found.id, out_.switches.size());
      switches.push_back(at->second);
      if (is_new)
        out_.switches.push_back(std::move(found));
      else
        join_switch(out_.switches[at->second], found);
    }
    const auto moved = [&](CableEnd& end) {
      end.index = end.at == CableEnd::At::node ? nodes[end.index] : switches[end.index];
    };
    std::vector<FoundCable> fresh;
    for (FoundCable& cable : dump.cables) {
      moved(cable.a);
      moved(cable.b);
      const auto known = cable_index_.find(key_of(cable));
      if (known != cable_index_.end() && has_ports(cable))
        join_cable(out_.cables[known->second], cable);
      else
        fresh.push_back(std::move(cable));
    }
    for (FoundCable& cable : fresh) {
      cable_index_.emplace(key_of(cable), out_.cables.size());
      out_.cables.push_back(std::move(cable));
    }
  }

  static void join_switch(FoundSwitch& have, const FoundSwitch& told) {
    fill(have.name, told.name);
    fill(have.model, told.model);
    if (have.tier == 0) have.tier = told.tier;
    fill(have.rail, told.rail);
    if (have.role == FabricRole::unknown) have.role = told.role;
  }

  /// The worse state counts: a cable that one dump saw down was down.
  static void join_cable(FoundCable& have, const FoundCable& told) {
    fill(have.rate, told.rate);
    fill(have.built, told.built);
    fill(have.trouble, told.trouble);
    have.state = std::max(have.state, told.state);
  }

  using EndKey = std::tuple<bool, std::size_t, std::string, std::string>;

  static EndKey key_of(const CableEnd& end) {
    return {end.at == CableEnd::At::node, end.index, end.nic, end.port};
  }
  static std::pair<EndKey, EndKey> key_of(const FoundCable& cable) {
    return std::minmax(key_of(cable.a), key_of(cable.b));
  }
  /// Without them, cables between the same two devices are several and not one told twice.
  static bool has_ports(const FoundCable& cable) {
    const auto known = [](const CableEnd& end) {
      return !end.port.empty() || (end.at == CableEnd::At::node && !end.nic.empty());
    };
    return known(cable.a) && known(cable.b);
  }

  void spread(const Inside& inside) {
    file_ = inside.file;
    if (out_.nodes.empty()) {
      FoundNode alone = inside.node;
      alone.name = "node";
      out_.nodes.push_back(std::move(alone));
      return;
    }
    int taken = 0;
    for (FoundNode& node : out_.nodes) {
      const bool alike =
          (inside.node.gpus < 0 || node.gpus < 0 || node.gpus == inside.node.gpus) &&
          (inside.node.gpu.empty() || node.gpu.empty() || node.gpu == inside.node.gpu);
      if (!alike || !node.inside.empty()) continue;
      ++taken;
      fill(node.gpu, inside.node.gpu);
      fill(node.gpus, inside.node.gpus);
      join_inside(node, inside.node);
    }
    note(fmt::format("taken for the inside of {} of {}", taken,
                     count_of(static_cast<int>(out_.nodes.size()), "node")),
         taken == 0 ? "no node has as many GPUs of this kind" : "",
         taken == 0 ? Severity::warning : Severity::note);
  }

  FoundCluster out_;
  NodeNames names_;
  NodeTally tally_;
  std::string file_;       ///< of the dump being added
  std::string tree_file_;  ///< that tells the switch tree
  std::vector<Inside> insides_;
  std::map<std::string, std::size_t> switch_index_;
  std::map<std::pair<EndKey, EndKey>, std::size_t> cable_index_;
};

}  // namespace

FoundCluster merge(std::vector<FoundCluster> dumps) {
  Merger merger;
  for (FoundCluster& dump : dumps) merger.add(std::move(dump));
  return merger.take();
}

}  // namespace topology
