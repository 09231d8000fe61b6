#include "viz/calibration_json.hpp"

#include <nlohmann/json.hpp>

#include "base/name_table.hpp"
#include "calibrate/store/kernel_shape.hpp"
#include "calibrate/store/summary.hpp"

namespace viz {

namespace {

using Json = nlohmann::ordered_json;

template <class T>
Json or_null(const std::optional<T>& value) {
  return value ? Json(*value) : Json();
}

std::string line_of(const Json& json) {
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

Json json_of(const calibrate::Run& run) {
  Json devices = Json::array();
  for (const calibrate::Device& device : run.devices)
    devices.push_back({{"name", device.name},
                       {"identity", device.identity},
                       {"memory_bytes", device.memory.count()}});
  Json software = Json::array();
  for (const calibrate::Software& one : run.software)
    software.push_back({{"name", one.name}, {"version", one.version}});
  const calibrate::Machine& machine = run.machine;
  return {{"id", run.id},
          {"tool", run.tool},
          {"version", run.version},
          {"command", run.command},
          {"source", run.source},
          {"started", run.started},
          {"ended", run.ended},
          {"state", base::name_in(calibrate::run_state_names, run.state)},
          {"machine",
           {{"host", machine.host},
            {"cpu", machine.cpu},
            {"cores", machine.cores},
            {"memory_bytes", machine.memory.count()},
            {"system", machine.system}}},
          {"devices", devices},
          {"software", software},
          {"note", run.note}};
}

Json json_of(const calibrate::Times& times) {
  return {{"mean_s", times.mean},
          {"min_s", times.min},
          {"max_s", times.max},
          {"p50_s", times.p50},
          {"p95_s", times.p95},
          {"p99_s", times.p99},
          {"deviation_s", times.deviation},
          {"iterations", times.iterations},
          {"warm_up", times.warm_up},
          {"dropped", times.dropped},
          {"samples_s", times.samples}};
}

Json json_of(const calibrate::Placement& place) {
  return {{"ranks", place.ranks},
          {"nodes", place.nodes},
          {"ranks_per_node", place.ranks_per_node},
          {"ranks_per_device", place.ranks_per_device},
          {"stride", place.stride},
          {"groups", place.groups}};
}

Json json_of(const calibrate::CollectiveRecord& record) {
  return {{"operation", base::name_of(record.op)},
          {"library", record.library},
          {"library_version", record.library_version},
          {"device", record.device},
          {"algorithm", record.algorithm},
          {"protocol", record.protocol},
          {"dtype", record.dtype},
          {"reduction", record.reduction},
          {"root", record.root},
          {"placement", json_of(record.placement)},
          {"size_bytes", record.bytes.count()},
          {"count", record.count},
          {"in_place", record.in_place},
          {"wrong", or_null(record.wrong)},
          {"own_estimate_s", or_null(record.own_estimate)},
          {"transport", record.transport},
          {"convention", base::name_in(calibrate::size_convention_names, record.convention)},
          {"line", record.line},
          {"times", json_of(record.times)}};
}

Json json_of(const calibrate::KernelRecord& record) {
  return {{"kind", record.kind},
          {"shape", calibrate::store::shape_text(record.kernel)},
          {"rows", record.rows},
          {"columns", record.columns},
          {"dtype", base::name_of(record.dtype)},
          {"library", record.library},
          {"library_version", record.library_version},
          {"device", record.device},
          {"variant", record.variant},
          {"concurrent", record.concurrent},
          {"clock_mhz", record.clock_mhz},
          {"power_w", record.power_w},
          {"temperature_c", record.temperature_c},
          {"line", record.line},
          {"times", json_of(record.times)}};
}

Json json_of(const calibrate::OverlapRecord& record) {
  return {{"collective", record.collective},
          {"kernel", record.kernel},
          {"collective_times", json_of(record.collective_times)},
          {"kernel_times", json_of(record.kernel_times)}};
}

Json json_of(const calibrate::store::FitRow& fit) {
  return {{"made", fit.made},
          {"kind", fit.kind},
          {"key", fit.key},
          {"parameters", fit.parameters},
          {"points", fit.points},
          {"residual", fit.residual},
          {"held_out", or_null(fit.held_out)},
          {"valid_from", fit.valid_from},
          {"valid_to", fit.valid_to}};
}

Json json_of(const calibrate::store::MeasuredGroup& group) {
  Json json{{"what", group.what},
            {"library", group.library},
            {"device", group.device},
            {"dtype", group.dtype},
            {"way", group.way}};
  if (group.collective)
    json["placement"] = json_of(group.placement);
  else
    json["concurrent"] = group.placement.ranks;
  const std::string unit = group.in_flop ? "flop" : "bytes";
  json["from_" + unit] = group.from;
  json["to_" + unit] = group.to;
  json["rows"] = group.rows;
  json["dropped"] = group.dropped;
  json["wrong"] = group.wrong;
  return json;
}

Json json_of(const calibrate::store::MeasuredOverlap& overlap) {
  return {{"collective", json_of(overlap.collective)},
          {"kernel", json_of(overlap.kernel)},
          {"rows", overlap.collective.rows},
          {"collective_slowed", overlap.collective_slowed},
          {"kernel_slowed", overlap.kernel_slowed}};
}

/// A list with each of its members on a line of its own.
template <class T>
std::string list_of(const std::vector<T>& values) {
  std::string out = "[";
  for (const T& value : values) {
    out += out.size() == 1 ? "\n" : ",\n";
    out += line_of(json_of(value));
  }
  return out + "]";
}

}  // namespace

std::string calibration_json(const std::vector<calibrate::RunRecords>& runs,
                             const std::vector<calibrate::store::FitRow>& fits) {
  std::string out = "{\"schema\": \"foreshard.calibration.v1\",\n\"runs\": [";
  for (const calibrate::RunRecords& all : runs) {
    out += &all == runs.data() ? "\n" : ",\n";
    out += "{\"run\": " + line_of(json_of(all.run));
    out += ",\n\"collectives\": " + list_of(all.collectives);
    out += ",\n\"kernels\": " + list_of(all.kernels);
    out += ",\n\"overlaps\": " + list_of(all.overlaps) + "}";
  }
  return out + "],\n\"fits\": " + list_of(fits) + "}\n";
}

std::string calibration_summary_json(const std::string& name,
                                     const std::vector<calibrate::RunRecords>& runs,
                                     const std::vector<calibrate::store::FitRow>& fits) {
  Json json{{"schema", "foreshard.calibration_summary.v1"},
            {"file", name},
            {"runs", Json::array()},
            {"collectives", Json::array()},
            {"kernels", Json::array()},
            {"overlaps", Json::array()},
            {"fits", Json::array()}};
  for (const calibrate::RunRecords& all : runs) {
    Json run = json_of(all.run);
    run["rows"] = all.rows();
    run["ended_before_start"] = calibrate::store::ended_before_start(all.run);
    json["runs"].push_back(std::move(run));
  }
  for (const auto& group : calibrate::store::groups_of(runs))
    json[group.collective ? "collectives" : "kernels"].push_back(json_of(group));
  for (const auto& overlap : calibrate::store::overlaps_of(runs))
    json["overlaps"].push_back(json_of(overlap));
  for (const auto& fit : fits) json["fits"].push_back(json_of(fit));
  return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace viz
