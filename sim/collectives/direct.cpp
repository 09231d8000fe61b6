#include "base/check.hpp"
#include "sim/collectives/layout.hpp"
#include "sim/collectives/table.hpp"

/// Every member sends straight to those who need it, in one round.
///   all_to_all: to each other what it has for it, equal counts bytes / n;
///   all_gather: its block to each other; reduce_scatter: to each other that one's block;
///   gather, scatter: blocks to or from the root; broadcast, reduce: the buffer, flat;
///   send_receive: the message to the next member, as nccl-tests does it; for two an exchange.
namespace sim::collectives {

namespace {

using base::Collective;

/// `bytes(from, to)` from each to each other.
template <class SentBytes>
void add_all_pairs(int ranks, SentBytes bytes, Flows& flows) {
  for (int from = 0; from < ranks; ++from)
    for (int to = 0; to < ranks; ++to) flows.add(from, to, bytes(from, to));
}

void add_straight(const Demand& demand, int ranks, Flows& flows) {
  const double whole = demand.bytes.as_double();
  const auto of = [](const std::vector<double>& blocks, int rank) {
    return blocks[static_cast<std::size_t>(rank)];
  };
  switch (demand.op) {
    case Collective::all_to_all:
      add_all_pairs(
          ranks, [&](int from, int to) { return sent(demand, ranks, from, to); }, flows);
      break;
    case Collective::all_gather:
    case Collective::reduce_scatter: {
      const std::vector<double> blocks = blocks_of(demand, ranks);
      const bool own = demand.op == Collective::all_gather;
      add_all_pairs(
          ranks, [&](int from, int to) { return of(blocks, own ? from : to); }, flows);
      break;
    }
    case Collective::gather:
    case Collective::scatter: {
      const std::vector<double> blocks = blocks_of(demand, ranks);
      for (int i = 1; i < ranks; ++i) flows.add(0, i, of(blocks, i));
      break;
    }
    case Collective::broadcast:
    case Collective::reduce:
      for (int i = 1; i < ranks; ++i) flows.add(0, i, whole);
      break;
    case Collective::send_receive:
      for (int i = 0; i < ranks; ++i) flows.add(i, (i + 1) % ranks, whole);
      break;
    default: break;
  }
  if (demand.op == Collective::gather || demand.op == Collective::reduce) flows.reverse();
}

}  // namespace

bool direct_supports(Collective op) {
  return op != Collective::all_reduce && op != Collective::barrier;
}

Expansion expand_direct(const Demand& demand, std::span<const Member> members) {
  CHECK_INVARIANT(direct_supports(demand.op));
  Expansion out;
  if (members.size() < 2) return out;
  Flows flows;
  add_straight(demand, static_cast<int>(members.size()), flows);
  out.flows = flows.take();
  count_round(out, nodes_of(members).size() > 1);
  return out;
}

}  // namespace sim::collectives
