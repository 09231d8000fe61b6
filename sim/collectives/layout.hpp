#pragma once

#include <algorithm>
#include <cstddef>
#include <vector>

#include "sim/collectives/collectives.hpp"

/// What the algorithms have in common: members by node, blocks of a buffer, whole bytes, rounds.
namespace sim::collectives {

/// Positions of the members of each node; nodes in order of their first member.
using Nodes = std::vector<std::vector<int>>;

Nodes nodes_of(std::span<const Member> members);

/// Members of the largest node.
int largest(const Nodes& nodes);

/// Rounds in which a message has come from one to all of `ranks`, when those who have it double
/// each time.
int doublings(int ranks);

/// Bytes of the block of each member in the whole buffer of all_gather, reduce_scatter, gather and
/// scatter.
std::vector<double> blocks_of(const Demand& demand, int ranks);

/// Bytes that `from` has for `to` in an all_to_all.
double sent(const Demand& demand, int ranks, int from, int to);

/// Counts a round of hops, over the network if one of them is.
void count_round(Expansion& expansion, bool across);

/// Whether any member and the one `distance` positions on, around the end, sit in different nodes.
bool shift_crosses(std::span<const Member> members, int distance);

/// Gathers bytes from member to member. Fractions add up before they are rounded to whole bytes;
/// nothing goes from a member to itself.
class Flows {
 public:
  void add(int from, int to, double bytes) {
    if (from != to) raw_.push_back({from, to, bytes});
  }

  /// Every member of a node sends `bytes` to the next one, the last to the first.
  void around(const std::vector<int>& node, double bytes);

  /// The same against the order of the members.
  void around_back(const std::vector<int>& node, double bytes);

  /// From one node to another, spread over all members of both, see `for_lanes`.
  void between(const std::vector<int>& from, const std::vector<int>& to, double bytes);

  /// Every node sends `bytes` to the next one, the last to the first. Nothing for a single node.
  void around_nodes(const Nodes& nodes, double bytes);

  void reverse();

  /// By sender, then receiver, one flow a pair; empty ones left out.
  std::vector<Flow> take();

 private:
  struct Raw {
    int from;
    int to;
    double bytes;
  };
  std::vector<Raw> raw_;
};

/// Lanes from one node to another: each member stands for an equal part of the buffer, in order,
/// and a lane joins the members whose parts overlap. In nodes of equal size the i-th member meets
/// the i-th, that is each NIC its like. Calls visit(i, j, share of the buffer); every member of
/// either side has a sum of shares of 1 / (its node's size), so uneven nodes balance too.
template <class Visit>
void for_lanes(std::size_t from, std::size_t to, Visit visit) {
  const auto whole = static_cast<double>(from * to);
  for (std::size_t i = 0, j = 0; i < from && j < to;) {
    const std::size_t begin = std::max(i * to, j * from);
    const std::size_t end = std::min((i + 1) * to, (j + 1) * from);
    visit(i, j, static_cast<double>(end - begin) / whole);
    if (end == (i + 1) * to) ++i;
    if (end == (j + 1) * from) ++j;
  }
}

}  // namespace sim::collectives
