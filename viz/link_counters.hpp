#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "sim/link_courses.hpp"
#include "topology/cluster.hpp"

namespace viz {

/// The load of a link over a step, in equal intervals.
struct LinkCounter {
  std::string name;  ///< "node-2/nic-0 -> leaf-0, 16 alike"
  std::vector<std::uint16_t> thousandths;
};

/// The links outside of nodes with the highest `utilisation` (by LinkId, shares of the step), those
/// with the same course as one; at most `count`.
std::vector<LinkCounter> busiest_links(const topology::Cluster& cluster,
                                       const sim::LinkCourses& courses,
                                       const std::vector<double>& utilisation, std::size_t count);

}  // namespace viz
