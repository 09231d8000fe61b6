#include "topology/import/cable_book.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <tuple>

#include "topology/found_cluster_names.hpp"
#include "topology/import/fabric_shape.hpp"
#include "topology/natural_order.hpp"
#include "topology/node_tally.hpp"

namespace topology {

namespace {

using base::BytesPerSecond;

/// Order of `count` things whose names compare naturally.
template <class NameOf>
std::vector<std::size_t> natural_order(std::size_t count, NameOf name_of) {
  std::vector<std::size_t> order(count);
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
    return natural_less(name_of(a), name_of(b));
  });
  return order;
}

/// Puts `things` in `order`. \returns the new place of each old one.
template <class T>
std::vector<std::size_t> reorder(std::vector<T>& things, const std::vector<std::size_t>& order) {
  std::vector<T> sorted;
  std::vector<std::size_t> place(order.size());
  for (std::size_t i = 0; i < order.size(); ++i) {
    place[order[i]] = i;
    sorted.push_back(std::move(things[order[i]]));
  }
  things = std::move(sorted);
  return place;
}

bool comes_before(const CableEnd& a, const CableEnd& b) {
  if (a.at != b.at) return a.at == CableEnd::At::node;
  if (a.index != b.index) return a.index < b.index;
  if (a.nic != b.nic) return natural_less(a.nic, b.nic);
  return natural_less(a.port, b.port);
}

}  // namespace

std::size_t CableBook::node(const std::string& name, const base::SourceRef& where) {
  const auto [at, is_new] = node_at_.emplace(name, out_.nodes.size());
  if (is_new) {
    FoundNode& node = out_.nodes.emplace_back();
    node.name = name;
    node.where = where;
  }
  return at->second;
}

std::size_t CableBook::fabric_switch(FoundSwitch found) {
  const auto [at, is_new] = switch_at_.emplace(found.id, out_.switches.size());
  if (is_new) {
    out_.switches.push_back(std::move(found));
    return at->second;
  }
  FoundSwitch& have = out_.switches[at->second];
  if (have.name.empty()) have.name = std::move(found.name);
  if (have.model.empty()) have.model = std::move(found.model);
  return at->second;
}

std::string CableBook::nic(std::size_t node, const std::string& name, const std::string& id) {
  std::vector<FoundNic>& nics = out_.nodes[node].nics;
  const std::string id_key = fmt::format("{}\ni{}", node, id);
  if (!name.empty()) {
    const auto [at, is_new] = nic_at_.emplace(fmt::format("{}\nn{}", node, name), nics.size());
    if (is_new) {
      nics.emplace_back().name = name;
    } else if (!id.empty() && !nics[at->second].id.empty() && nics[at->second].id != id) {
      remarks_.add("NICs of the same host and name with different ids; the later go by their ids",
                   out_.nodes[node].name + "/" + name, out_.nodes[node].where,
                   "do two machines have the same name?", base::Severity::warning);
      return this->nic(node, "", id);
    }
    if (!id.empty()) {
      nics[at->second].id = id;
      nic_at_.emplace(id_key, at->second);
    }
    return name;
  }
  if (id.empty()) return {};
  const auto [at, is_new] = nic_at_.emplace(id_key, nics.size());
  if (is_new) nics.emplace_back().id = id;
  return topology::name_of(nics[at->second]);
}

/// Empty where the end does not say at which port it is.
std::string CableBook::key_of(const CableEnd& end) {
  const bool at_node = end.at == CableEnd::At::node;
  if (at_node ? end.nic.empty() : end.port.empty()) return {};
  return fmt::format("{}{}\n{}\n{}", at_node ? 'n' : 's', end.index, end.nic, end.port);
}

std::string CableBook::name_of(const CableEnd& end) const {
  const bool at_node = end.at == CableEnd::At::node;
  std::string name =
      at_node ? out_.nodes[end.index].name : topology::name_of(out_.switches[end.index]);
  if (!end.nic.empty()) name += "/" + end.nic;
  if (!end.port.empty()) name += ":" + end.port;
  return name;
}

void CableBook::add(FoundCable cable) {
  if (cable.a.at == cable.b.at && cable.a.index == cable.b.index) {
    remarks_.add("cables from a device to itself, left out", name_of(cable.a), cable.where);
    return;
  }
  if (key_of(cable.a).empty() && key_of(cable.b).empty())
    add_by_count(cable);
  else if (!add_by_port(cable))
    remember(std::move(cable));
}

/// Whether one of its ports is known already: then it is the same cable, or a contradiction.
bool CableBook::add_by_port(FoundCable& cable) {
  for (int turn = 0; turn < 2; ++turn) {
    const auto at = cable_at_.find(key_of(cable.a));
    if (at != cable_at_.end()) {
      FoundCable& have = out_.cables[at->second];
      if (have.a.at != cable.a.at || have.a.index != cable.a.index) std::swap(have.a, have.b);
      if (have.b.at == cable.b.at && have.b.index == cable.b.index)
        confirm(have, cable);
      else
        remarks_.add(
            "ports that are told to lead to two devices; the first is taken",
            fmt::format("{} to {} and {}", name_of(have.a), name_of(have.b), name_of(cable.b)),
            cable.where, "", base::Severity::warning);
      return true;
    }
    std::swap(cable.a, cable.b);
  }
  return false;
}

void CableBook::add_by_count(FoundCable& cable) {
  const Device a{cable.a.at, cable.a.index};
  const Device b{cable.b.at, cable.b.index};
  Untold& between = untold_[std::minmax(a, b)];
  std::size_t& told = between.told[a < b ? 0 : 1];
  if (told++ < between.cables.size()) {
    FoundCable& have = out_.cables[between.cables[told - 1]];
    if (have.a.at != cable.a.at || have.a.index != cable.a.index) std::swap(have.a, have.b);
    confirm(have, std::move(cable));
    return;
  }
  between.cables.push_back(out_.cables.size());
  remember(std::move(cable));
}

/// The same cable told again. \pre the ends are in the same order
void CableBook::confirm(FoundCable& have, FoundCable told) {
  for (const auto end : {&FoundCable::a, &FoundCable::b}) {
    CableEnd& mine = have.*end;
    const CableEnd& theirs = told.*end;
    if (!mine.port.empty() && !theirs.port.empty() && mine.port != theirs.port &&
        mine.at == CableEnd::At::fabric_switch)
      remarks_.add("cables whose ends name another port of the far device than that does itself",
                   fmt::format("{} and {}", name_of(mine), name_of(theirs)), told.where);
    if (mine.port.empty()) mine.port = theirs.port;
    if (mine.at == CableEnd::At::node && mine.nic != theirs.nic) same_nic(mine, theirs);
    cable_at_.emplace(key_of(mine), static_cast<std::size_t>(&have - out_.cables.data()));
  }
  const bool both = have.rate > BytesPerSecond() && told.rate > BytesPerSecond();
  if (both && std::abs(have.rate / told.rate - 1) > 0.01)
    remarks_.add("cables whose ends tell different rates; the lower is taken",
                 fmt::format("{} - {}", name_of(have.a), name_of(have.b)), told.where, "",
                 base::Severity::warning);
  have.rate = both ? std::min(have.rate, told.rate) : std::max(have.rate, told.rate);
  have.built = std::max(have.built, told.built);
  have.state = std::max(have.state, told.state);
  if (have.trouble.empty()) have.trouble = std::move(told.trouble);
}

/// One end knows the NIC by its name, the other by its address: it is one NIC.
void CableBook::same_nic(CableEnd& have, const CableEnd& told) {
  FoundNic* mine = find_nic(have);
  FoundNic* theirs = find_nic(told);
  if (mine == nullptr || theirs == nullptr) {
    if (mine == nullptr) have.nic = told.nic;
    return;
  }
  if (mine->name.empty() == theirs->name.empty()) {
    remarks_.add("cables whose ends name different NICs; the first is taken",
                 fmt::format("{} and {}", name_of(have), told.nic), out_.nodes[have.index].where,
                 "", base::Severity::warning);
    return;
  }
  if (mine->name.empty()) std::swap(mine, theirs);
  if (mine->id.empty()) mine->id = theirs->id;
  have.nic = mine->name;
  theirs->id.clear();  // take() leaves out what has neither
}

FoundNic* CableBook::find_nic(const CableEnd& end) {
  for (const char kind : {'n', 'i'})
    if (const auto at = nic_at_.find(fmt::format("{}\n{}{}", end.index, kind, end.nic));
        at != nic_at_.end())
      return &out_.nodes[end.index].nics[at->second];
  return nullptr;
}

void CableBook::remember(FoundCable cable) {
  for (const CableEnd* end : {&cable.a, &cable.b})
    if (std::string key = key_of(*end); !key.empty())
      cable_at_.emplace(std::move(key), out_.cables.size());
  out_.cables.push_back(std::move(cable));
}

/// A NIC has as many ports and the rate that its cables have together.
void CableBook::rate_nics() {
  for (FoundNode& node : out_.nodes)
    for (FoundNic& nic : node.nics) nic.ports = 0;
  for (const FoundCable& cable : out_.cables)
    for (const CableEnd* end : {&cable.a, &cable.b}) {
      if (end->at != CableEnd::At::node) continue;
      FoundNic* const nic = find_nic(*end);
      if (nic == nullptr) {
        remarks_.add("cables of nodes that do not tell their NIC", out_.nodes[end->index].name,
                     cable.where);
        continue;
      }
      ++nic->ports;
      nic->rate += std::max(cable.rate, cable.built);
    }
  for (FoundNode& node : out_.nodes) {
    std::erase_if(node.nics, [](const FoundNic& nic) { return topology::name_of(nic).empty(); });
    for (FoundNic& nic : node.nics) nic.ports = std::max(nic.ports, 1);
  }
}

void CableBook::sort() {
  const auto nodes = reorder(out_.nodes, natural_order(out_.nodes.size(), [&](std::size_t i) {
                               return std::string_view(out_.nodes[i].name);
                             }));
  const auto switches =
      reorder(out_.switches, natural_order(out_.switches.size(), [&](std::size_t i) {
                return std::string_view(topology::name_of(out_.switches[i]));
              }));
  for (FoundNode& node : out_.nodes)
    std::stable_sort(node.nics.begin(), node.nics.end(), [](const FoundNic& a, const FoundNic& b) {
      return a.name.empty() != b.name.empty()
                 ? b.name.empty()
                 : natural_less(topology::name_of(a), topology::name_of(b));
    });
  for (FoundCable& cable : out_.cables) {
    for (CableEnd* end : {&cable.a, &cable.b})
      end->index = end->at == CableEnd::At::node ? nodes[end->index] : switches[end->index];
    if (comes_before(cable.b, cable.a)) std::swap(cable.a, cable.b);
  }
  std::stable_sort(out_.cables.begin(), out_.cables.end(),
                   [](const FoundCable& x, const FoundCable& y) {
                     if (comes_before(x.a, y.a)) return true;
                     return !comes_before(y.a, x.a) && comes_before(x.b, y.b);
                   });
}

FoundCluster CableBook::take() {
  rate_nics();
  sort();
  out_.sources.push_back({format_, file_, counts_of(out_)});
  remarks_.report(out_.notes);
  shape_fabric(out_, {file_});
  return std::move(out_);
}

std::string counts_of(const FoundCluster& cluster) {
  const auto count = [](std::size_t number, std::string_view what) {
    return number == 1 && what == "switch" ? std::string("1 switch")
           : what == "switch"              ? fmt::format("{} switches", number)
                                           : count_of(static_cast<int>(number), what);
  };
  return fmt::format("{}, {}, {}", count(cluster.nodes.size(), "node"),
                     count(cluster.switches.size(), "switch"),
                     count(cluster.cables.size(), "cable"));
}

}  // namespace topology
