#pragma once

#include "calibrate/profile.hpp"

/// Closed forms of collectives in Hockney's model: a message of m bytes takes alpha + m / rate.
/// Formulas: Thakur, Rabenseifner, Gropp, "Optimization of Collective Communication Operations in
/// MPICH", Int. J. of High Performance Computing Applications 19(1), 2005; S is the size, n the
/// ranks. They are taken apart here by where a message goes: k ranks in each of N nodes, ranks of a
/// node in a row.
namespace calibrate::backends {

/// What a message costs inside a node and between nodes.
struct Links {
  int ranks = 1;
  int nodes = 1;
  int ranks_per_node = 1;
  base::Seconds inside_latency;
  base::BytesPerSecond inside_rate;  ///< of one rank
  base::Seconds across_latency;
  base::BytesPerSecond node_rate;  ///< of all ranks of a node together
  base::BytesPerSecond nic_rate;   ///< of one rank alone
};

/// The links of a group as they are: scale-up links and NICs at their usable rates.
Links links_of(const GroupShape& shape);

/// One way to do a collective. `wire` includes whatever grows with the bytes.
struct Way {
  CollectiveAlgorithm algorithm = CollectiveAlgorithm::ring;
  base::Seconds latency;
  base::Seconds wire;

  base::Seconds time() const { return latency + wire; }
};

/// Doubling rounds that reach `count` members: ceil(log2(count)).
int doubling_rounds(int count);

/// What one phase of halving or doubling takes for its bytes when it starts or ends inside the
/// node, so that no more crosses between nodes than has to: (k-1)/k S inside, (N-1)/N S across.
base::Seconds scattered(base::Bytes bytes, const Links& links);

/// all_reduce: 2(n-1) alpha + 2(n-1)/n S / rate; all_gather, reduce_scatter: half of it. broadcast,
/// reduce: a pipelined chain, (n-1) alpha + S / rate.
Way ring(Collective op, base::Bytes bytes, const Links& links);
/// all_reduce: every round exchanges the whole buffer, lg n (alpha + S / rate); n that is no power
/// of two: one round more. all_gather and reduce_scatter (Bruck, recursive halving): lg n alpha +
/// (n-1)/n S / rate. barrier: dissemination, lg n alpha.
Way recursive_doubling(Collective op, base::Bytes bytes, const Links& links);
/// Rabenseifner's all_reduce: recursive halving, then doubling, 2 lg n alpha + 2(n-1)/n S / rate;
/// n that is no power of two: two messages of S more.
Way halving_doubling(base::Bytes bytes, const Links& links);
/// broadcast, reduce: lg n (alpha + S / rate); gather, scatter: lg n alpha + (n-1)/n S / rate.
Way binomial_tree(Collective op, base::Bytes bytes, const Links& links);
/// all_reduce, all_gather, reduce_scatter: rings in each node over S, rings between nodes over S/k.
/// \pre nodes > 1 and ranks_per_node > 1
Way hierarchical(Collective op, base::Bytes bytes, const Links& links);
/// all_to_all: n-1 messages of S/n; gather, scatter: the root has n-1 of them; send_receive: one.
Way direct(Collective op, base::Bytes bytes, const Links& links);

/// The quickest of the above for `op`.
Way quickest(Collective op, base::Bytes bytes, const Links& links);

/// How a collective moves where nobody says how: in a ring, straight, or by doubling where nothing
/// is moved at all.
CollectiveAlgorithm plain_algorithm(Collective op);

/// The price of a way, as a model with the given spread.
CollectiveCost as_cost(const Way& way, Collective op, base::Bytes bytes, int ranks, double spread);

}  // namespace calibrate::backends
