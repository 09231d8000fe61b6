#include "sim/collectives/layout.hpp"

#include <unordered_map>

#include "base/check.hpp"

namespace sim::collectives {

namespace {

std::size_t at(int i) { return static_cast<std::size_t>(i); }

/// To the nearest whole byte. Halves go up even when the sum that made them fell short by a
/// rounding error: members that do alike must send alike to the byte, or nobody sees that they do.
base::Bytes rounded(double bytes) {
  constexpr double error = 1e-3;
  return base::Bytes::from_double(bytes + error);
}

}  // namespace

Nodes nodes_of(std::span<const Member> members) {
  std::unordered_map<int, std::size_t> index;
  Nodes nodes;
  for (std::size_t i = 0; i < members.size(); ++i) {
    const auto [entry, fresh] = index.try_emplace(members[i].domain, nodes.size());
    if (fresh) nodes.emplace_back();
    nodes[entry->second].push_back(static_cast<int>(i));
  }
  return nodes;
}

int largest(const Nodes& nodes) {
  std::size_t most = 0;
  for (const std::vector<int>& node : nodes) most = std::max(most, node.size());
  return static_cast<int>(most);
}

int doublings(int ranks) {
  int rounds = 0;
  for (std::int64_t reached = 1; reached < ranks; reached *= 2) ++rounds;
  return rounds;
}

std::vector<double> blocks_of(const Demand& demand, int ranks) {
  const double whole = demand.bytes.as_double();
  if (demand.shares.empty()) return std::vector<double>(at(ranks), whole / ranks);
  CHECK_INVARIANT(demand.shares.size() == at(ranks));
  std::vector<double> blocks;
  for (const double share : demand.shares) blocks.push_back(share * whole);
  return blocks;
}

double sent(const Demand& demand, int ranks, int from, int to) {
  if (demand.shares.empty()) return demand.bytes.as_double() / ranks;
  return demand.shares[at(from) * at(ranks) + at(to)] * demand.bytes.as_double() * ranks;
}

void count_round(Expansion& expansion, bool across) {
  ++(across ? expansion.rounds_across : expansion.rounds_inside);
}

bool shift_crosses(std::span<const Member> members, int distance) {
  for (std::size_t i = 0; i < members.size(); ++i)
    if (members[i].domain != members[(i + at(distance)) % members.size()].domain) return true;
  return false;
}

void Flows::around(const std::vector<int>& node, double bytes) {
  for (std::size_t i = 0; i < node.size(); ++i) add(node[i], node[(i + 1) % node.size()], bytes);
}

void Flows::around_back(const std::vector<int>& node, double bytes) {
  for (std::size_t i = 0; i < node.size(); ++i) add(node[(i + 1) % node.size()], node[i], bytes);
}

void Flows::between(const std::vector<int>& from, const std::vector<int>& to, double bytes) {
  for_lanes(from.size(), to.size(), [&](std::size_t i, std::size_t j, double share) {
    add(from[i], to[j], bytes * share);
  });
}

void Flows::around_nodes(const Nodes& nodes, double bytes) {
  if (nodes.size() < 2) return;
  for (std::size_t n = 0; n < nodes.size(); ++n)
    between(nodes[n], nodes[(n + 1) % nodes.size()], bytes);
}

void Flows::reverse() {
  for (Raw& flow : raw_) std::swap(flow.from, flow.to);
}

std::vector<Flow> Flows::take() {
  // Counting sort by sender: there are few receivers each, and whole sorts would cost more than all
  // the rest.
  int senders = 0;
  for (const Raw& flow : raw_) senders = std::max(senders, flow.from + 1);
  std::vector<std::size_t> first(at(senders) + 1, 0);
  for (const Raw& flow : raw_) ++first[at(flow.from) + 1];
  for (std::size_t i = 1; i < first.size(); ++i) first[i] += first[i - 1];
  std::vector<std::size_t> next = first;
  std::vector<Raw> sorted(raw_.size());
  for (const Raw& flow : raw_) sorted[next[at(flow.from)]++] = flow;
  raw_.clear();

  std::vector<Flow> whole;
  whole.reserve(sorted.size());
  for (int sender = 0; sender < senders; ++sender) {
    const std::size_t end = first[at(sender) + 1];
    std::sort(sorted.begin() + static_cast<std::ptrdiff_t>(first[at(sender)]),
              sorted.begin() + static_cast<std::ptrdiff_t>(end),
              [](const Raw& a, const Raw& b) { return a.to < b.to; });
    for (std::size_t i = first[at(sender)]; i < end;) {
      const int to = sorted[i].to;
      double bytes = 0;
      for (; i < end && sorted[i].to == to; ++i) bytes += sorted[i].bytes;
      const base::Bytes count = rounded(bytes);
      if (count.count() > 0) whole.push_back({sender, to, count});
    }
  }
  return whole;
}

}  // namespace sim::collectives
