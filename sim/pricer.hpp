#pragma once

#include <map>
#include <optional>
#include <string>
#include <tuple>
#include <vector>

#include "calibrate/profile.hpp"
#include "sim/build_step.hpp"
#include "sim/step_graph.hpp"
#include "strategies/shard.hpp"

namespace sim {

/// Turns work into pieces with durations and keeps the tables of a StepGraph (labels, collectives,
/// messages, group shapes) free of doubles. Each kernel shape is priced once.
class Pricer {
 public:
  Pricer(const StepInput& input, StepGraph& graph) : input_(input), graph_(graph) {}

  void append(Segment& segment, const strategies::Work& work);
  void append(Segment& segment, const std::string& label, Phase phase, const base::Kernel& kernel);
  /// What the GPU waits for while its host computes.
  void append_on_host(Segment& segment, const std::string& label, Phase phase, base::Seconds time,
                      const std::string& source);
  /// Begins a segment behind so many messages of other stages: what the GPU waits for (see
  /// Execution::exchange_dispatch), and what its tensor ranks gather of each.
  void append_exchange(Segment& segment, int messages,
                       const std::optional<strategies::Communication>& gathered);
  /// Ends a segment of work: if the host needs longer to launch it than the GPU to do it, the GPU
  /// waits for the rest. The host runs ahead of the GPU, so only sums count, not single kernels.
  void close(Segment& segment);
  /// Index of the collective in StepGraph::collectives.
  std::uint32_t collective(const std::string& name, CommKind kind,
                           const strategies::Communication& communication);
  /// Index of the message in StepGraph::messages.
  std::uint32_t message(const std::string& name, int peer_stage, int sender_chunk,
                        base::Bytes bytes);
  /// Index of the copy in StepGraph::copies.
  std::uint32_t host_copy(const std::string& name, CommKind kind, base::Bytes bytes);

 private:
  /// Of a collective: name, operation, axes, bytes, parts.
  using UseKey = std::tuple<std::string, int, unsigned, std::int64_t, int>;
  /// Seconds of a work's kernels when alone, beside its collective.
  struct Kernels {
    double arithmetic = 0;
    double streaming = 0;

    auto operator<=>(const Kernels&) const = default;
  };

  std::uint32_t label(const std::string& text);
  std::uint32_t collective(const std::string& name, CommKind kind,
                           const strategies::Communication& communication, const Kernels& beside);
  calibrate::CollectiveCost cost_of(const CollectiveUse& use, std::size_t shape);
  calibrate::CollectiveCost forced_cost(const CollectiveUse& use, std::size_t shape,
                                        base::CollectiveAlgorithm algorithm);
  int source(const std::string& text);
  const calibrate::Duration& price(const base::Kernel& kernel);
  const StepGraph::Groups& groups(strategies::AxisSet axes);

  const StepInput& input_;
  StepGraph& graph_;
  std::map<std::string, std::uint32_t> labels_;
  std::map<UseKey, CollectiveUse> uses_;  // each as it is alone
  std::map<std::pair<UseKey, Kernels>, std::uint32_t> collectives_;
  std::map<std::tuple<std::string, int, int>, std::uint32_t> messages_;
  std::map<std::pair<std::string, std::int64_t>, std::uint32_t> copies_;
  std::vector<std::pair<base::Kernel, calibrate::Duration>> prices_;
  std::int16_t host_source_ = -1;  // of StepGraph::sources; -1: no segment has waited yet
  int operators_ = 0;              // launched by the segment in the making
  std::size_t exchange_ = 0;       // its first pieces, behind which the host begins to launch
};

}  // namespace sim
