#pragma once

#include <cstdint>
#include <exception>
#include <functional>
#include <string>
#include <tuple>
#include <vector>

#include "calibrate/harness/device.hpp"
#include "calibrate/harness/sweep.hpp"
#include "calibrate/harness/world.hpp"
#include "sim/step_graph.hpp"
#include "sim/timeline.hpp"

/// The step graph run for real, with synthetic tensors: the fourth engine, beside analytic, hybrid
/// and flow.
namespace sim {

/// A collective as it has to be called: what a group of ranks does at once with all others alike.
struct NeededCollective {
  calibrate::Collective op = calibrate::Collective::all_reduce;
  strategies::AxisSet axes;
  base::Bytes bytes;  ///< of one part

  auto operator<=>(const NeededCollective& o) const {
    return std::tuple(op, axes.bits(), bytes.count()) <=>
           std::tuple(o.op, o.axes.bits(), o.bytes.count());
  }
  bool operator==(const NeededCollective& o) const { return (*this <=> o) == 0; }
};

/// Everything that a step launches, each once: what has to be measured for a forecast that rests on
/// measurements alone. Messages between stages are send_receive over the pipeline axis.
struct NeededWork {
  std::vector<base::Kernel> kernels;
  std::vector<NeededCollective> collectives;
};
NeededWork needed_work(const StepGraph& graph);

/// The piece of the graph with the largest single matrix product: what is launched between steps to
/// see whether the machine is as fast as when it was measured. Null where there is none.
const Piece* reference_piece(const StepGraph& graph);

/// The call and its buffers for `bytes` of a collective among `ranks`, in elements of `dtype` as
/// nccl-tests calls them.
struct CollectiveWork {
  calibrate::harness::CollectiveCall call;
  calibrate::CallSize size;
};
CollectiveWork collective_work(calibrate::Collective op, base::Bytes bytes, int ranks,
                               const std::string& dtype);

/// Seconds that a piece took, once: kernels, and the collective that the compute stream waited for.
struct PieceTime {
  double compute = 0;
  double communication = 0;
};

/// What one rank measured of one step.
struct RankStep {
  double reference = 0;     ///< seconds of the reference kernel, just before the step
  double seconds = 0;       ///< from the common begin to the end of its last task
  std::vector<Span> spans;  ///< by task of its program, from that begin
  std::vector<std::vector<PieceTime>> pieces;  ///< by task: those of its segment
};

struct ExecuteOptions {
  int warm_up = 1;
  int steps = 5;
  std::string dtype = "float";  ///< of what travels
  /// Called by a stream that fails, before the others are waited for. Those may be inside a
  /// collective that never ends now, so a job of several ranks has to be ended here.
  std::function<void(const std::exception&)> failed = [](const std::exception&) {};
};

/// Runs the program of this rank `warm_up + steps` times; all ranks of the world together, rank r
/// of the grid on rank r of the world. A kernel that the device does not have is a mistake.
base::Result<std::vector<RankStep>> execute(const StepGraph& graph,
                                            const calibrate::harness::Device& device,
                                            const calibrate::harness::World& world,
                                            const ExecuteOptions& options);

}  // namespace sim
