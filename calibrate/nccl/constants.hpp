#pragma once

#include <array>
#include <cstddef>
#include <string>
#include <string_view>

#include "base/collective.hpp"
#include "base/diagnostic.hpp"

/// NCCL's own cost model: what it predicts for a collective before it picks an algorithm and a
/// protocol. Numbers are those of NCCL 2.28.9, src/graph/tuning.cc, and what 2.29 and 2.30 changed;
/// they are predictions of a library, not measurements.
namespace calibrate::nccl {

using base::Collective;
using base::CollectiveAlgorithm;
using base::Protocol;

/// Algorithms and protocols in the order in which NCCL compares them.
inline constexpr std::array<CollectiveAlgorithm, 7> algorithms{CollectiveAlgorithm::tree,
                                                               CollectiveAlgorithm::ring,
                                                               CollectiveAlgorithm::collnet_direct,
                                                               CollectiveAlgorithm::collnet_chain,
                                                               CollectiveAlgorithm::nvls,
                                                               CollectiveAlgorithm::nvls_tree,
                                                               CollectiveAlgorithm::pat};
inline constexpr std::array<Protocol, 3> protocols{Protocol::ll, Protocol::ll128, Protocol::simple};

std::size_t index_of(CollectiveAlgorithm algorithm);  ///< in `algorithms`. \pre one of NCCL's
std::size_t index_of(Protocol protocol);              ///< in `protocols`. \pre not `none`

/// One value for each protocol: LL, LL128, Simple.
using PerProtocol = std::array<double, 3>;
/// One for each algorithm and protocol.
using PerChoice = std::array<PerProtocol, 7>;
/// One for communicators of one node, two nodes and more.
using PerNodes = std::array<double, 3>;
/// One row each for Volta and older, Ampere, Hopper, Blackwell.
using PerGeneration = std::array<PerNodes, 4>;

/// Row of a PerGeneration for a compute capability times ten, for example 90.
std::size_t generation_of(int compute_capability);
/// Column of a PerNodes.
std::size_t column_of(int nodes);

enum class Version { v2_28, v2_29, v2_30 };

inline constexpr Version latest = Version::v2_30;

/// "2.28", or with a patch: "2.28.9". The mistake names the versions that are known.
base::Result<Version> version_of(std::string_view text);
std::string_view name_of(Version version);  ///< "2.28"

constexpr std::size_t tree_corrections_max = 24;

struct Constants {
  PerChoice base_latency;     ///< us
  PerChoice nvlink_latency;   ///< us a hop
  PerChoice pcie_latency;     ///< us a hop
  PerChoice network_latency;  ///< us a hop

  PerGeneration ll;          ///< GB/s, all channels together
  PerGeneration ring_ll128;  ///< GB/s a channel, as are the next ones
  PerGeneration tree_ll128;
  PerGeneration tree;
  PerGeneration nvls_tree;
  std::array<double, 4> nvls_efficiency;  ///< by generation

  /// Share of a tree's bandwidth at sizes from 64 bytes on, each for sizes up to the next power of
  /// two; by protocol. Beyond the end all of it.
  std::array<std::array<double, tree_corrections_max>, 3> tree_correction;
  std::size_t tree_corrections;        ///< how many of them the version has
  bool tree_correction_for_nvls_tree;  ///< on sm100 and later with x86 CPUs
};

const Constants& constants_of(Version version);

}  // namespace calibrate::nccl
