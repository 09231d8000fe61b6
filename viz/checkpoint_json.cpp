#include <map>
#include <nlohmann/json.hpp>

#include "viz/checkpoint.hpp"
#include "viz/report_json.hpp"

namespace viz {

namespace {

namespace files = strategies::checkpoint_file;
using Json = nlohmann::ordered_json;

Json tensor_json(const files::SavedTensor& tensor) {
  Json json{{"name", tensor.name},
            {"role", files::name_of(tensor.role())},
            {"type", tensor.type->name},
            {"shape", tensor.shape},
            {"elements", tensor.elements()},
            {"bytes", tensor.bytes().count()},
            {"file", tensor.file}};
  if (!tensor.storage.empty()) json["storage"] = tensor.storage;
  if (tensor.parts != 1) json["parts"] = tensor.parts;
  return json;
}

Json totals_json(const files::Checkpoint& checkpoint) {
  struct Sum {
    int tensors = 0;
    std::int64_t elements = 0;
    std::int64_t bytes = 0;
  };
  std::map<std::pair<files::Role, std::string_view>, Sum> sums;
  for (const files::SavedTensor& tensor : checkpoint.tensors) {
    Sum& sum = sums[{tensor.role(), tensor.type->name}];
    ++sum.tensors;
    sum.elements += tensor.elements();
    sum.bytes += tensor.bytes().count();
  }
  Json json = Json::array();
  for (const auto& [what, sum] : sums)
    json.push_back({{"role", files::name_of(what.first)},
                    {"type", what.second},
                    {"tensors", sum.tensors},
                    {"elements", sum.elements},
                    {"bytes", sum.bytes}});
  return json;
}

Json modules_json(const files::Checkpoint& checkpoint, int depth) {
  Json json = Json::array();
  for (const ModuleRow& row : module_rows(checkpoint, depth))
    json.push_back({{"depth", row.depth},
                    {"name", row.name},
                    {"tensors", row.tensors},
                    {"elements", row.elements},
                    {"bytes", row.bytes.count()}});
  return json;
}

Json fit_json(const CheckpointFit& fit) {
  const files::Comparison& one = fit.comparison;
  Json different = Json::array();
  for (const files::ShapeDifference& shape : one.different)
    different.push_back({{"name", shape.name}, {"saved", shape.saved}, {"wanted", shape.wanted}});
  return {{"scenario", fit.scenario},
          {"plan", fit.plan},
          {"parameters_saved", one.saved},
          {"parameters_wanted", one.wanted},
          {"naming", one.naming},
          {"prefix", one.prefix},
          {"matching", one.matching},
          {"missing", one.missing},
          {"different", std::move(different)},
          {"extra", one.extra},
          {"rank_parameters", fit.share.parameters},
          {"rank_parameters_kept", fit.share.kept},
          {"rank_read_bytes", fit.share.read.count()},
          {"resident_bytes", fit.resident.count()},
          {"while_loading_bytes", fit.while_loading().count()},
          {"capacity_bytes", fit.capacity.count()},
          {"loads", fit.loads()},
          {"step_peak_bytes", fit.step_peak.count()},
          {"step_fits", fit.step_fits},
          {"ranks_per_node", fit.ranks_per_node},
          {"host_bytes_per_node", fit.host().count()}};
}

}  // namespace

std::string checkpoint_json(const files::Checkpoint& checkpoint, const CheckpointView& view,
                            const std::optional<CheckpointFit>& fit) {
  Json json{{"schema", "foreshard.checkpoint.v1"},
            {"path", view.path},
            {"format", checkpoint.format},
            {"stored_bytes", files::stored_bytes(checkpoint).count()}};
  json["files"] = Json::array();
  for (const files::SavedFile& file : checkpoint.files)
    json["files"].push_back({{"path", file.path}, {"bytes", file.size.count()}});
  json["totals"] = totals_json(checkpoint);
  json["modules"] = modules_json(checkpoint, view.depth);
  json["tensors"] = Json::array();
  for (const files::SavedTensor& tensor : checkpoint.tensors)
    json["tensors"].push_back(tensor_json(tensor));
  json["shared"] = files::shared_tensors(checkpoint);
  json["values"] = Json::array();
  for (const auto& [name, value] : checkpoint.values)
    json["values"].push_back({{"name", name}, {"value", value}});
  json["unknown"] = Json::array();
  for (const auto& [name, path] : checkpoint.unknown)
    json["unknown"].push_back({{"name", name}, {"path", path}});
  if (fit) json["fit"] = fit_json(*fit);
  json["diagnostics"] = diagnostics_json(checkpoint.problems);
  return dumped(json);
}

}  // namespace viz
