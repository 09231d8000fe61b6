#pragma once

#include <vector>

#include "base/diagnostic.hpp"
#include "topology/found_cluster.hpp"
#include "topology/k8s_inventory.hpp"
#include "topology/k8s_objects.hpp"

/// NICs of nodes, as labels and objects of Kubernetes tell them.
namespace topology {

/// Adds NICs, leaf switches and the cables between them from CoreWeave's labels
/// `{backend,ib}.coreweave.cloud/neighbors.{expected,current}.INTERFACE.{device,port-id}`. A cable
/// is where it is now: where nothing is now it is down, where it is not as expected it has a
/// trouble. \pre `cluster.nodes[i]` is `nodes[i]`.
void add_neighbours(const std::vector<GpuNode>& nodes, FoundCluster& cluster);

/// Sets KubernetesNode::slice_gpus and ::slice_product from the ResourceSlices of NVIDIA's GPU
/// driver.
void count_slice_gpus(const KubernetesObjects& objects, std::vector<KubernetesNode>& nodes);

/// Adds the NICs of ResourceSlices (driver dra.net), each with the GPUs at its PCIe root, and of
/// SriovNetworkNodeStates, with their rates. \pre as above
void add_device_nics(const KubernetesObjects& objects, FoundCluster& cluster);

}  // namespace topology
