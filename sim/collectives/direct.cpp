#include "base/check.hpp"
#include "sim/collectives/collectives.hpp"

/// Every member sends straight to those who need it. all_to_all: bytes / n to each of the n - 1
/// others, (n - 1) / n x bytes a member. send_receive: the message to the next member, as
/// nccl-tests does it; for two members an exchange.
namespace sim::collectives {

using calibrate::Collective;

bool direct_supports(Collective op) {
  return op == Collective::all_to_all || op == Collective::send_receive;
}

std::vector<Flow> expand_direct(Collective op, base::Bytes bytes,
                                std::span<const int> domain_of_member) {
  CHECK_INVARIANT(direct_supports(op));
  const int ranks = static_cast<int>(domain_of_member.size());
  std::vector<Flow> flows;
  if (ranks < 2 || bytes.count() == 0) return flows;
  if (op == Collective::send_receive) {
    for (int i = 0; i < ranks; ++i) flows.push_back({i, (i + 1) % ranks, bytes});
    return flows;
  }
  const base::Bytes share = base::Bytes::from_double(bytes.as_double() / ranks);
  if (share.count() == 0) return flows;
  for (int step = 1; step < ranks; ++step)
    for (int i = 0; i < ranks; ++i) flows.push_back({i, (i + step) % ranks, share});
  return flows;
}

}  // namespace sim::collectives
