#pragma once

#include <cstdint>
#include <vector>

#include "sim/engine.hpp"
#include "sim/step_graph.hpp"
#include "sim/timeline.hpp"

namespace sim {

/// The load of links over a step, in equal intervals.
struct LinkCourses {
  int intervals = 0;
  /// Different courses: of each interval the bytes over what the link could have carried, in
  /// thousandths.
  std::vector<std::vector<std::uint16_t>> distinct;
  std::vector<int> of_link;  ///< by LinkId, into `distinct`; -1: nothing crosses it, or left out
  bool complete = true;      ///< nothing was left out
};

/// From the spans of a simulated step: the bytes of a transfer are spread evenly over the time in
/// which it moved. That is what alone it does; where transfers shared a link unevenly, an interval
/// may come to more than its rate. Of more than `courses_max` different courses, those of the
/// busiest links are kept. `options` are those that the step was simulated with.
LinkCourses link_courses(const StepGraph& graph, const Timeline& timeline,
                         const topology::Cluster& cluster,
                         const std::vector<topology::GpuId>& gpu_of_rank,
                         const EngineOptions& options, int intervals, std::size_t courses_max);

}  // namespace sim
