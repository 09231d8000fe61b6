#include "viz/report_json.hpp"
#include "viz/workload.hpp"

namespace viz {

namespace {

using Json = nlohmann::ordered_json;

Json contention_object(const sim::ContentionReport& report) {
  Json jobs = Json::array();
  for (const auto& job : report.jobs)
    jobs.push_back({{"name", job.name},
                    {"gpus", job.gpus},
                    {"steps_played", job.steps},
                    {"alone_step_time_s", job.alone.s()},
                    {"step_time_s", job.step.s()},
                    {"shortest_s", job.shortest.s()},
                    {"longest_s", job.longest.s()},
                    {"slowdown", job.slowdown()}});
  Json links = Json::array();
  for (const auto& link : report.links) {
    Json bytes = Json::array();
    for (const base::Bytes& one : link.bytes) bytes.push_back(one.count());
    links.push_back({{"name", link.name},
                     {"rate_bytes_per_s", link.rate.byte()},
                     {"bytes_per_step", std::move(bytes)},
                     {"active", link.active},
                     {"together", link.together},
                     {"busy", link.busy},
                     {"alike", link.alike}});
  }
  return {{"jobs", std::move(jobs)}, {"links", std::move(links)}, {"links_met", report.links_met}};
}

Json jobs_object(const std::vector<std::string>& names, const sim::queue::QueueReport& run) {
  Json jobs = Json::array();
  for (std::size_t i = 0; i < names.size(); ++i) {
    const sim::queue::JobOutcome& job = run.jobs[i];
    jobs.push_back({{"name", names[i]},
                    {"gpus", job.gpus},
                    {"nodes", job.nodes},
                    {"arrival_s", job.arrival},
                    {"begin_s", job.begin},
                    {"end_s", job.end},
                    {"alone_s", job.alone},
                    {"alone_there_s", job.spread}});
  }
  return jobs;
}

Json run_object(const std::vector<std::string>& names, const sim::queue::QueueReport& run) {
  Json levels = Json::array();
  for (const sim::queue::Fragmentation& level : run.fragmentation)
    levels.push_back({{"level", level.level}, {"mean", level.mean}, {"least", level.least}});
  Json samples = Json::array();
  for (const sim::queue::Sample& sample : run.samples)
    samples.push_back({{"time_s", sample.time},
                       {"running", sample.running},
                       {"waiting", sample.waiting},
                       {"free_gpus", sample.free_gpus},
                       {"fragmentation", sample.fragmentation}});
  Json links = Json::array();
  for (const sim::queue::ContendedLink& link : run.links)
    links.push_back({{"name", link.name},
                     {"level", link.level},
                     {"rate_bytes_per_s", link.rate},
                     {"contended_s", link.seconds},
                     {"worst_demand", link.worst},
                     {"jobs_at_once", link.jobs_at_once}});
  return {{"policy", run.policy},
          {"makespan_s", run.makespan},
          {"queued_mean_s", run.queued_mean},
          {"queued_median_s", run.queued_median},
          {"queued_p95_s", run.queued_p95},
          {"slowdown_mean", run.slowdown_mean},
          {"slowdown_worst", run.slowdown_worst},
          {"contention_mean", run.contention_mean},
          {"gpu_utilisation", run.utilisation},
          {"fragmentation", std::move(levels)},
          {"samples", std::move(samples)},
          {"links", std::move(links)},
          {"links_contended", run.links_contended},
          {"jobs", jobs_object(names, run)}};
}

Json head_object(const char* schema, const WorkloadHead& head) {
  return {{"schema", schema},
          {"scenario", head.name},
          {"cluster", head.cluster},
          {"diagnostics", diagnostics_json(head.notes)}};
}

}  // namespace

std::string contention_json(const WorkloadHead& head, const std::vector<sim::Report>& jobs,
                            const sim::ContentionReport& report) {
  Json json = head_object("foreshard.jobs.v1", head);
  json["jobs"] = Json::array();
  for (const sim::Report& job : jobs) json["jobs"].push_back(report_object(job));
  json["contention"] = contention_object(report);
  return dumped(json);
}

std::string queue_json(const WorkloadHead& head, const std::vector<std::string>& names,
                       const std::vector<sim::queue::QueueReport>& runs) {
  Json json = head_object("foreshard.queue.v1", head);
  json["runs"] = Json::array();
  for (const sim::queue::QueueReport& run : runs) json["runs"].push_back(run_object(names, run));
  return dumped(json);
}

}  // namespace viz
