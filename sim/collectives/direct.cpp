#include "base/check.hpp"
#include "sim/collectives/table.hpp"

/// Every member sends straight to those who need it. all_to_all: bytes / n to each of the n - 1
/// others, (n - 1) / n x bytes a member. send_receive: the message to the next member, as
/// nccl-tests does it; for two members an exchange.
namespace sim::collectives {

using base::Collective;

bool direct_supports(Collective op) {
  return op == Collective::all_to_all || op == Collective::send_receive;
}

Expansion expand_direct(const Demand& demand, std::span<const Member> members) {
  CHECK_INVARIANT(direct_supports(demand.op));
  const int ranks = static_cast<int>(members.size());
  Expansion out;
  if (ranks < 2 || demand.bytes.count() == 0) return out;
  if (demand.op == Collective::send_receive) {
    for (int i = 0; i < ranks; ++i) out.flows.push_back({i, (i + 1) % ranks, demand.bytes});
    return out;
  }
  const base::Bytes share = base::Bytes::from_double(demand.bytes.as_double() / ranks);
  if (share.count() == 0) return out;
  for (int step = 1; step < ranks; ++step)
    for (int i = 0; i < ranks; ++i) out.flows.push_back({i, (i + step) % ranks, share});
  return out;
}

}  // namespace sim::collectives
