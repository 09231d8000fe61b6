#pragma once

#include <array>
#include <cstdint>
#include <string_view>
#include <utility>

namespace base {

/// Collective operations, as NCCL and MPI name them. Sizes everywhere follow nccl-tests:
/// all_reduce, broadcast, reduce: the buffer of a rank; all_gather, reduce_scatter, gather,
/// scatter: the whole buffer of all ranks; all_to_all: the send buffer of a rank; send_receive: the
/// message; barrier: nothing.
enum class Collective : std::uint8_t {
  all_reduce,
  all_gather,
  reduce_scatter,
  all_to_all,
  broadcast,
  reduce,
  gather,
  scatter,
  send_receive,
  barrier,
};

inline constexpr std::array<std::pair<std::string_view, Collective>, 10> collective_names{{
    {"all_reduce", Collective::all_reduce},
    {"all_gather", Collective::all_gather},
    {"reduce_scatter", Collective::reduce_scatter},
    {"all_to_all", Collective::all_to_all},
    {"broadcast", Collective::broadcast},
    {"reduce", Collective::reduce},
    {"gather", Collective::gather},
    {"scatter", Collective::scatter},
    {"send_receive", Collective::send_receive},
    {"barrier", Collective::barrier},
}};

std::string_view name_of(Collective op);

/// All-gathers and reduce-scatters, of which an all-reduce is made: bytes go round once.
constexpr bool one_way(Collective op) {
  return op == Collective::all_gather || op == Collective::reduce_scatter;
}

/// How a collective moves its bytes. NCCL's own: ring, tree (double binary), CollNet direct and
/// chain (reduction in the network), NVLS and NVLS tree (reduction in the NVSwitch), PAT (parallel
/// aggregated trees). Of MPI and others: recursive halving and doubling, binomial tree, straight to
/// each peer, in the node and then across nodes. All-to-all: straight, over the NIC of the
/// receiver's rail, or by one message a node pair that is forwarded inside.
enum class CollectiveAlgorithm : std::uint8_t {
  ring,
  tree,
  collnet_direct,
  collnet_chain,
  nvls,
  nvls_tree,
  pat,
  recursive_doubling,
  binomial_tree,
  hierarchical,
  direct,
  rail_aligned,
  forwarded,
};

inline constexpr std::array<std::pair<std::string_view, CollectiveAlgorithm>, 13>
    collective_algorithm_names{{
        {"ring", CollectiveAlgorithm::ring},
        {"tree", CollectiveAlgorithm::tree},
        {"collnet_direct", CollectiveAlgorithm::collnet_direct},
        {"collnet_chain", CollectiveAlgorithm::collnet_chain},
        {"nvls", CollectiveAlgorithm::nvls},
        {"nvls_tree", CollectiveAlgorithm::nvls_tree},
        {"pat", CollectiveAlgorithm::pat},
        {"recursive_doubling", CollectiveAlgorithm::recursive_doubling},
        {"binomial_tree", CollectiveAlgorithm::binomial_tree},
        {"hierarchical", CollectiveAlgorithm::hierarchical},
        {"direct", CollectiveAlgorithm::direct},
        {"rail_aligned", CollectiveAlgorithm::rail_aligned},
        {"forwarded", CollectiveAlgorithm::forwarded},
    }};

std::string_view name_of(CollectiveAlgorithm algorithm);

/// Wire formats of NCCL: LL sends 4 bytes of flag with 4 of data, LL128 8 with 120, Simple whole
/// chunks. `none`: the library has no such thing.
enum class Protocol : std::uint8_t { none, ll, ll128, simple };

std::string_view name_of(Protocol protocol);

/// Bytes that the busiest link of a ring carries, over `bytes`: 2(n-1)/n for all_reduce, (n-1)/n
/// for all_gather, reduce_scatter, all_to_all, gather and scatter, 1 for broadcast, reduce and
/// send_receive (nccl-tests, PERFORMANCE.md), 0 for barrier.
double bus_factor(Collective op, int ranks);

}  // namespace base
