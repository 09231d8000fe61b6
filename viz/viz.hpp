#pragma once

#include <string>
#include <vector>

#include "sim/report.hpp"
#include "sim/schedule/schedule.hpp"
#include "sim/step_comparison.hpp"
#include "sim/step_graph.hpp"
#include "sim/timeline.hpp"
#include "topology/cluster.hpp"
#include "viz/link_counters.hpp"

/// Pure functions from values to text. Writing files and running `dot` is up to the caller.
namespace viz {

struct TextOptions {
  bool colour = false;
  int width = 80;
};

/// The table a person reads in ten seconds.
std::string report_text(const sim::Report& report, const TextOptions& options);

/// "foreshard.report.v1", the keys of the contract.
std::string report_json(const sim::Report& report);

/// Chrome trace event JSON for Perfetto: a process per rank class (one representative rank of each
/// program), a thread per stream, counters for memory and for transfers beside the compute stream,
/// arrows from sends to receives, and a process with the load of `links` in percent.
std::string chrome_trace(const sim::StepGraph& graph, const sim::Timeline& timeline,
                         const std::vector<LinkCounter>& links);
/// The same with the step as it was executed behind it, by rank.
std::string chrome_trace(const sim::StepGraph& graph, const sim::Timeline& timeline,
                         const std::vector<sim::RankStep>& executed);

/// A pipeline schedule as engineers draw it: a row of cells for each stage, and how many
/// micro-batches it holds at most. \pre sim::schedule::check finds nothing.
std::string schedule_text(const sim::schedule::ScheduleTable& table);

/// Graphviz DOT of the cluster, folded so that thousands of nodes stay readable. `link_utilisation`
/// colours links; may be empty.
std::string topology_dot(const topology::Cluster& cluster,
                         const std::vector<double>& link_utilisation);

}  // namespace viz
