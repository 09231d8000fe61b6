#include <nlohmann/json.hpp>
#include <string>

#include "viz/breakdown_json.hpp"
#include "viz/report_json.hpp"
#include "viz/viz.hpp"

namespace viz {

namespace {

using Json = nlohmann::ordered_json;

Json memory_json(const sim::MemoryReport& memory) {
  Json parts = Json::object();
  for (int i = 0; i < sim::memory_part_count; ++i)
    parts[std::string(sim::name_of(static_cast<sim::MemoryPart>(i))) + "_bytes"] =
        memory.parts[static_cast<std::size_t>(i)].count();
  Json times = Json::array();
  Json bytes = Json::array();
  for (const auto& [time, amount] : memory.curve) {
    times.push_back(time);
    bytes.push_back(amount.count());
  }
  Json alive = Json::array();
  for (const sim::AliveTensors& tensors : memory.alive)
    alive.push_back({{"part", sim::name_of(tensors.part)},
                     {"what", tensors.what},
                     {"used_bytes", tensors.bytes.count()}});
  Json stages = Json::array();
  for (const sim::StageMemory& stage : memory.stages)
    stages.push_back({{"name", stage.name},
                      {"rank", stage.rank},
                      {"allocated_bytes", stage.allocated.count()},
                      {"reserved_bytes", stage.reserved.count()},
                      {"device_bytes", stage.device.count()}});
  return {{"peak_bytes", memory.peak.count()},
          {"allocated_bytes", sim::allocated(memory.parts).count()},
          {"reserved_bytes", sim::reserved(memory.parts).count()},
          {"capacity_bytes", memory.capacity.count()},
          {"fits", memory.fits},
          {"worst_rank", memory.worst_rank},
          {"parts", std::move(parts)},
          {"moment",
           {{"time_s", memory.moment.time.s()},
            {"share", memory.moment.share},
            {"task", memory.moment.task},
            {"stream", memory.moment.stream}}},
          {"alive", std::move(alive)},
          {"stages", std::move(stages)},
          {"curve", {{"time_s", std::move(times)}, {"used_bytes", std::move(bytes)}}},
          {"advice", memory.advice}};
}

/// Parts of `breakdown` add up to the step; `compute` splits one of them further.
Json breakdown_json(const sim::Breakdown& b) {
  Json json = {{"compute_s", (b.forward + b.backward + b.recompute).s()}};
  add_beside_kernels(b, json);
  return json;
}

Json measured(const sim::Report& report) {
  if (!report.measured) return nullptr;
  return {{"step_time_s", report.measured->step.s()},
          {"source", report.measured->source},
          {"error", report.step / report.measured->step - 1}};
}

Json links_json(const std::vector<sim::LinkLoad>& links) {
  Json out = Json::array();
  for (const sim::LinkLoad& link : links)
    out.push_back({{"name", link.name},
                   {"bytes", link.bytes.count()},
                   {"rate_bytes_per_s", link.rate.byte()},
                   {"utilisation", link.utilisation},
                   {"busy", link.busy},
                   {"lost_s", link.lost.s()},
                   {"alike", link.alike}});
  return out;
}

Json critical_path_json(const std::vector<sim::PathPart>& parts, base::Seconds step) {
  Json out = Json::array();
  for (const sim::PathPart& part : parts)
    out.push_back({{"kind", part.kind},
                   {"rank_class", part.rank_class},
                   {"spans", part.spans},
                   {"time_s", part.time.s()},
                   {"share", part.time / step},
                   {"unseen_s", part.unseen.s()}});
  return out;
}

Json what_if_json(const std::vector<sim::ChangedStep>& changes, base::Seconds step) {
  Json out = Json::array();
  for (const sim::ChangedStep& one : changes)
    out.push_back({{"change", one.change},
                   {"step_time_s", one.step.s()},
                   {"saves_s", (step - one.step).s()}});
  return out;
}

Json sources_json(const std::vector<sim::SourceShare>& sources) {
  Json out = Json::array();
  for (const sim::SourceShare& source : sources)
    out.push_back({{"name", source.name}, {"share", source.share}, {"spread", source.spread}});
  return out;
}

}  // namespace

Json diagnostics_json(const base::Diagnostics& diagnostics) {
  Json out = Json::array();
  for (const base::Diagnostic& diagnostic : diagnostics)
    out.push_back({{"severity", base::name_of(diagnostic.severity)},
                   {"file", diagnostic.where.file},
                   {"line", diagnostic.where.line},
                   {"column", diagnostic.where.column},
                   {"message", diagnostic.message},
                   {"hint", diagnostic.hint}});
  return out;
}

Json report_object(const sim::Report& report) {
  const sim::Breakdown& b = report.breakdown;
  return {{"schema", "foreshard.report.v1"},
          {"scenario", report.scenario},
          {"fidelity", sim::name_of(report.fidelity)},
          {"ranks", report.ranks},
          {"ranks_played", report.ranks_played},
          {"model", report.model},
          {"cluster", report.cluster},
          {"plan", report.plan},
          {"step_time_s", report.step.s()},
          {"step_time_p10_s", report.step_p10.s()},
          {"step_time_p90_s", report.step_p90.s()},
          {"lower_bound_s", report.lower_bound.s()},
          {"tokens_per_step", report.tokens},
          {"tokens_per_s", report.tokens_per_s},
          {"tokens_per_s_per_gpu", report.tokens_per_s_per_gpu},
          {"model_tflops_per_gpu", report.model_tflops_per_gpu},
          {"mfu", report.mfu},
          {"hfu", report.hfu},
          {"bottleneck", report.bottleneck},
          {"binding_link", report.binding_link},
          {"overlap",
           {{"sm_share", report.sm_share},
            {"memory_share", report.memory_share},
            {"held_up_s", report.held_up.s()}}},
          {"measured", measured(report)},
          {"memory", memory_json(report.memory)},
          {"breakdown", breakdown_json(b)},
          {"compute",
           {{"forward_s", b.forward.s()},
            {"backward_s", b.backward.s()},
            {"recompute_s", b.recompute.s()}}},
          {"critical_path", critical_path_json(report.critical_path, report.step)},
          {"what_if", what_if_json(report.what_if, report.step)},
          {"links", links_json(report.links)},
          {"sources", sources_json(report.sources)},
          {"diagnostics", diagnostics_json(report.diagnostics)}};
}

std::string dumped(const Json& json) {
  // A name in a broken encoding must not stop the answer: its bytes become U+FFFD.
  return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

std::string report_json(const sim::Report& report) { return dumped(report_object(report)); }

}  // namespace viz
