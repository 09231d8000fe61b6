#pragma once

#include <vector>

#include "topology/found_cluster.hpp"

namespace topology {

/// Joins what several dumps tell of one cluster, for example node labels, ibnetdiscover, and the
/// NCCL topology of one node. What an earlier dump tells wins; a later one fills in what is
/// unknown, and each kind of contradiction is a note with the number of nodes.
///
/// Nodes are the same when a name or alias of theirs is: case does not matter, and a DNS domain is
/// looked past where the host name alone is unambiguous. Nodes that only one side knows are kept
/// and counted in a note. A nameless node is the inside of any node with its GPU and number of
/// GPUs. Switches are the same by id, cables by both ends and ports.
FoundCluster merge(std::vector<FoundCluster> dumps);

}  // namespace topology
