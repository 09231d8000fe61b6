#include "calibrate/import/formats.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "calibrate/import/kineto.hpp"
#include "calibrate/import/nccl_inspector.hpp"
#include "calibrate/import/nccl_log.hpp"
#include "calibrate/import/nccl_tests_json.hpp"
#include "calibrate/import/nccl_tests_text.hpp"
#include "calibrate/import/torchcomms.hpp"
#include "calibrate/import/validation_csv.hpp"

namespace calibrate {

namespace {

bool is_nccl_xml(std::string_view text) {
  text = text.substr(0, 1 << 16);
  return text.find("<graphs") != std::string_view::npos ||
         text.find("<system") != std::string_view::npos;
}

/// NCCL's graphs are no measurements: the backend takes them.
ImportResult refuse_nccl_xml(std::string_view, const std::string& file, const ImportOptions&) {
  return tl::unexpected(
      base::Diagnostics{{{file, 0, 0},
                         "a graph or topology of NCCL has no times in it",
                         "a scenario takes graphs: communication: {backend: nccl, graph: FILE}"}});
}

constexpr std::array<ImportFormat, 8> formats{{
    {"kineto", "trace of PyTorch's profiler", is_kineto, import_kineto},
    {"nccl-inspector", "JSON of NCCL's inspector plug-in", is_nccl_inspector,
     import_nccl_inspector},
    {"nccl-tests-json", "JSON of nccl-tests (-J)", is_nccl_tests_json, import_nccl_tests_json},
    {"nccl-xml", "graphs and topology of NCCL: refused", is_nccl_xml, refuse_nccl_xml},
    {"validation-csv", "table of published measurements", is_validation_csv, import_validation_csv},
    {"torchcomms", "tables of torchcomms' collective_perf_test", is_torchcomms, import_torchcomms},
    {"nccl-tests", "text of nccl-tests or rccl-tests", is_nccl_tests_text, import_nccl_tests_text},
    {"nccl-log", "log of NCCL: what it chose and expected", is_nccl_log, import_nccl_log},
}};

void name_devices(RunRecords& records, const topology::HardwareRegistry& registry) {
  const auto rename = [&](std::string& name) {
    if (const topology::GpuSpec* gpu = registry.find_gpu(name)) name = gpu->name;
  };
  for (Device& device : records.run.devices) rename(device.name);
  for (CollectiveRecord& record : records.collectives) rename(record.device);
  for (KernelRecord& record : records.kernels) rename(record.device);
}

/// Measurements whose data came out wrong are kept with what was wrong, and told.
void warn_of_wrong_data(Imported& imported, const std::string& file) {
  for (const RunRecords& run : imported.runs)
    for (const CollectiveRecord& record : run.collectives)
      if (record.wrong.value_or(0) > 0)
        imported.notes.push_back({{file, record.line, 0},
                                  fmt::format("{} elements are wrong", *record.wrong),
                                  "its time is no measurement of a working collective",
                                  base::Severity::warning});
}

std::string known_formats() {
  std::string text = "--format is one of:";
  for (const ImportFormat& format : formats) text += fmt::format(" {}", format.name);
  return text;
}

}  // namespace

std::span<const ImportFormat> import_formats() { return formats; }

ImportResult import_records(std::string_view text, const std::string& file, std::string_view format,
                            const ImportOptions& options,
                            const topology::HardwareRegistry& registry) {
  const auto row = std::find_if(formats.begin(), formats.end(), [&](const ImportFormat& candidate) {
    return format == "auto" ? candidate.recognises(text) : candidate.name == format;
  });
  if (row == formats.end())
    return tl::unexpected(
        base::Diagnostics{{{file, 0, 0},
                           format == "auto" ? "it is in no format that is known"
                                            : fmt::format("no format '{}'", format),
                           known_formats()}});
  ImportResult result = row->read(text, file, options);
  if (!result) return result;
  for (RunRecords& run : result->runs) name_devices(run, registry);
  warn_of_wrong_data(*result, file);
  return result;
}

}  // namespace calibrate
