#include "sim/analytic.hpp"

#include <algorithm>
#include <map>
#include <tuple>

#include "base/check.hpp"

namespace sim {

namespace {

using strategies::Axis;

std::size_t at(int i) { return static_cast<std::size_t>(i); }

/// Least over the shapes of the groups: which group a representative is in may not matter.
double least(const std::vector<calibrate::CollectiveCost>& costs) {
  double time = costs.empty() ? 0 : costs.front().total.time.s();
  for (const calibrate::CollectiveCost& cost : costs) time = std::min(time, cost.total.time.s());
  return time;
}

/// One rank of a class: ranks with the same program on the same pipeline stage.
struct Representative {
  std::uint16_t program = 0;
  int stage = 0;
  int rank = 0;
  std::uint32_t first_span = 0;
};

class Analysis {
 public:
  Analysis(const StepGraph& graph, const topology::Cluster& cluster,
           const std::vector<topology::GpuId>& gpu_of_rank);
  Timeline run();

 private:
  struct Node {
    std::uint32_t waits = 0;
    double ready = 0;
    double duration = 0;
  };
  /// Collectives of one axis set on one stream that ranks of several classes take part in.
  using MeetingKey = std::tuple<unsigned, int, std::uint32_t>;  // axes, stream, how manieth
  struct Meeting {
    std::vector<std::uint32_t> arrived;
    std::size_t members = 0;
  };

  void find_representatives();
  void price();
  void link_tasks(const Representative& one);
  void link_messages();
  double message_time(const Representative& from, int to_stage, const Message& message) const;
  void add_edge(std::uint32_t before, std::uint32_t after);
  void end(std::uint32_t task, double time);
  void drain();
  std::size_t classes_in_group(const Representative& one, strategies::AxisSet axes) const;
  void meet(std::uint32_t task);

  const StepGraph& graph_;
  const topology::Cluster& cluster_;
  const std::vector<topology::GpuId>& gpu_of_rank_;
  std::vector<Representative> classes_;
  std::vector<std::uint32_t> class_of_rank_;
  bool one_class_a_stage_ = true;
  std::vector<double> segment_time_;
  std::vector<double> collective_time_;
  std::vector<Node> nodes_;
  std::vector<Span> spans_;
  std::vector<const Task*> task_of_node_;
  std::vector<std::uint32_t> class_of_node_;
  std::vector<std::vector<std::uint32_t>> next_;
  std::vector<std::uint32_t> free_;
  std::map<MeetingKey, Meeting> meetings_;
  std::map<std::tuple<std::uint32_t, unsigned, int>, std::uint32_t> met_;  // class, axes, stream
};

}  // namespace

}  // namespace sim
