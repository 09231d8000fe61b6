#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <unordered_map>
#include <vector>

#include "sim/collectives/collectives.hpp"
#include "sim/engine/fabric.hpp"
#include "sim/engine/script.hpp"
#include "sim/step_graph.hpp"

namespace sim::engine {

/// Every flow that a step puts on the network, of all ranks, and the links it crosses; and which of
/// these links can ever hold somebody back.
///
/// Link numbers are those of the fabric: LinkIds, then bundles.
class Traffic {
 public:
  struct Path {
    std::uint32_t first_hop = 0;
    std::uint32_t hops = 0;
  };
  struct Flow {
    int from = 0;  ///< rank
    int to = 0;
    std::uint32_t path = 0;
    double bytes = 0;  ///< of the pattern's reference; of a message: share of its bytes
  };
  /// Collectives of one communicator that send the same shares of their bytes along the same paths.
  struct Pattern {
    int communicators = 0;
    calibrate::Collective op = calibrate::Collective::all_reduce;
    calibrate::CollectiveAlgorithm algorithm = calibrate::CollectiveAlgorithm::ring;
    std::uint32_t example = 0;              ///< the first such use: `bytes` of flows are its bytes
    std::vector<std::uint32_t> first_flow;  ///< by group; groups + 1 entries
  };

  /// `inside_domains`: flows inside a scale-up domain count too. The fabric's bundles are final
  /// once all traffic that there is has been made; then `bind`.
  Traffic(const StepGraph& graph, const Script& script, const Fabric& fabric,
          const std::vector<topology::GpuId>& gpu_of_rank, bool inside_domains);

  /// The most that can be asked of each link at once: bytes a second, by link.
  std::vector<double> demand() const;
  /// Says which links may bind, of `demand`, that of all who are on the fabric. `everything`: every
  /// link.
  void bind(const std::vector<double>& demand, bool everything);

  const std::vector<Pattern>& patterns() const { return patterns_; }
  /// Pattern of a collective in a group; -1 when nothing of it is on the network.
  int pattern_of(std::uint32_t use, std::uint32_t group) const;
  std::span<const Flow> flows_of(int pattern, std::uint32_t group) const;
  /// Bytes of a use over those of its pattern's example.
  double scale(std::uint32_t use, int pattern) const;
  /// Flows of a message between two ranks, one a path; `bytes` are shares.
  std::span<const Flow> message_flows(int from, int to) const;

  std::span<const Flow> flows() const { return flows_; }
  /// Those before it belong to collectives, pattern by pattern, group by group.
  std::size_t first_message_flow() const { return first_message_flow_; }
  bool same_domain(int a, int b) const;
  std::span<const std::uint32_t> hops(std::uint32_t path) const {
    return {hops_.data() + paths_[path].first_hop, paths_[path].hops};
  }
  /// Calls `look` with each link that the bytes on a path are counted on: a bundle that is part of
  /// another on the path, and not the larger one.
  template <class Look>
  void each_carrier(std::uint32_t path, const Look& look) const {
    const Path& hops = paths_[path];
    for (std::uint32_t hop = hops.first_hop; hop < hops.first_hop + hops.hops; ++hop)
      if (carries_[hop]) look(hops_[hop]);
  }
  std::size_t paths() const { return paths_.size(); }
  std::size_t links() const { return rate_.size(); }
  double rate(std::uint32_t link) const { return rate_[link]; }
  /// Whether the caps of all that can be on the link at once may add up to more than its rate. A
  /// link of which this is false changes no time.
  bool may_bind(std::uint32_t link) const { return may_bind_[link]; }

  /// Calls `look` with every flow that the step puts on the network, and the bytes of it in the
  /// whole step; a flow of several collectives more than once.
  void each_flow(const std::function<void(const Flow& flow, double bytes)>& look) const;
  /// Bytes over each cable in the whole step, by LinkId.
  std::vector<double> link_bytes() const;
  /// Bytes inside scale-up domains that are not flows.
  double private_bytes() const;

 private:
  void find_patterns();
  int pattern_for(std::uint32_t use, calibrate::CollectiveAlgorithm algorithm);
  void add_flows(std::uint32_t pattern, std::uint32_t group);
  void add_meshed(std::span<const int> members, std::span<const collectives::Flow> flows);
  void add_messages();
  void add_flow(int from, int to, double bytes);
  std::pair<std::uint32_t, std::uint32_t> paths_between(int from, int to);
  int peer_of(int rank, const Message& message) const;
  bool contains(std::uint32_t hop, std::uint32_t before) const;
  void demand_of_collectives(std::vector<double>& demand) const;
  void demand_of_messages(std::vector<double>& demand) const;

  const StepGraph& graph_;
  const Script& script_;
  const Fabric& fabric_;
  const std::vector<topology::GpuId>& gpu_of_rank_;
  bool inside_domains_;
  std::vector<Pattern> patterns_;
  std::vector<std::vector<int>> pattern_of_;  // by use, shape
  std::vector<Flow> flows_;
  std::size_t first_message_flow_ = 0;
  std::vector<Path> paths_;
  std::vector<double> share_;  // by path
  std::vector<std::uint32_t> hops_;
  std::vector<bool> carries_;  // by hop: false for a bundle that only bounds the one before
  std::unordered_map<std::uint64_t, std::pair<std::uint32_t, std::uint32_t>> between_;  // GPUs
  std::unordered_map<std::uint64_t, std::pair<std::uint32_t, std::uint32_t>> message_;  // ranks
  std::vector<double> rate_;
  std::vector<bool> may_bind_;
  std::vector<topology::Route> found_;
};

}  // namespace sim::engine
