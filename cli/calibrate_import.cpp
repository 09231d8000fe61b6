#include <fmt/format.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/document.hpp"
#include "calibrate/harness/sweep.hpp"
#include "calibrate/import/formats.hpp"
#include "calibrate/import/gzip.hpp"
#include "cli/calibrate.hpp"
#include "cli/calibration_file.hpp"
#include "cli/exit_code.hpp"
#include "cli/forecast.hpp"
#include "cli/output.hpp"
#include "cli/value_or_leave.hpp"
#include "topology/hardware.hpp"

namespace cli {

namespace {

using calibrate::RunRecords;

struct ImportCommand {
  std::vector<std::string> files;
  std::string database;
  std::string format = "auto";
  std::string operation;
  calibrate::ImportOptions options;
};

/// A file as it is, or unpacked if it is packed.
base::Result<std::string> text_of(const std::string& file) {
  base::Result<std::string> text = base::read_file(file);
  return text && calibrate::is_gzip(*text) ? calibrate::unpack_gzip(*text, file) : text;
}

/// The runs of all files, or every mistake in any of them.
base::Result<std::vector<RunRecords>> read_files(const ImportCommand& command,
                                                 const topology::HardwareRegistry& registry) {
  base::Diagnostics problems;
  std::vector<RunRecords> runs;
  for (const std::string& file : command.files) {
    const base::Result<std::string> text = text_of(file);
    const calibrate::ImportResult all =
        text ? calibrate::import_records(*text, file, command.format, command.options, registry)
             : tl::unexpected(text.error());
    if (!all) {
      problems.insert(problems.end(), all.error().begin(), all.error().end());
      continue;
    }
    print(all->notes);
    if (all->runs.empty()) problems.push_back({{file, 0, 0}, "nothing in it can be kept", ""});
    runs.insert(runs.end(), all->runs.begin(), all->runs.end());
  }
  if (!problems.empty()) return tl::unexpected(problems);
  return runs;
}

/// "3 runs with 480 collectives and 12 kernels; 1 was there already".
std::string summary(const std::vector<RunRecords>& runs, std::size_t added) {
  std::size_t collectives = 0;
  std::size_t kernels = 0;
  for (const RunRecords& run : runs) {
    collectives += run.collectives.size();
    kernels += run.kernels.size();
  }
  std::string text =
      fmt::format("{} runs with {} collectives and {} kernels", runs.size(), collectives, kernels);
  if (added < runs.size()) text += fmt::format("; {} were there already", runs.size() - added);
  return text + "\n";
}

void import_files(const ImportCommand& command) {
  const auto registry = value_or_leave(topology::HardwareRegistry::read(hardware_folder()));
  const std::vector<RunRecords> runs = value_or_leave(read_files(command, registry));
  auto store = open_calibration(command.database, calibrate::store::Access::write);
  write_output("-", summary(runs, static_cast<std::size_t>(store.add_all(runs))));
}

std::vector<std::string> format_names() {
  std::vector<std::string> names{"auto"};
  for (const calibrate::ImportFormat& format : calibrate::import_formats())
    names.emplace_back(format.name);
  return names;
}

/// What a file cannot say.
void add_facts(CLI::App& command, ImportCommand& import) {
  std::vector<std::string> operations;
  for (const auto& [name, op] : base::collective_names) operations.emplace_back(name);
  std::vector<std::string> types;
  for (const calibrate::ElementType& type : calibrate::element_types) types.emplace_back(type.name);
  calibrate::ImportOptions& options = import.options;
  command.add_option("--device", options.device, "what the ranks ran on")->type_name("NAME");
  command.add_option("--library", options.library, "that was measured: NCCL")->type_name("NAME");
  command.add_option("--library-version", options.library_version, "its version")
      ->type_name("VERSION");
  command.add_option("--operation", import.operation, "that was measured")
      ->check(CLI::IsMember(operations));
  command.add_option("--dtype", options.dtype, "of the elements")->check(CLI::IsMember(types));
  command.add_option("--ranks", options.ranks, "how many there were")
      ->check(CLI::Range(1, 10'000'000));
  command.add_option("--nodes", options.nodes, "how many they were on")
      ->check(CLI::Range(1, 10'000'000));
}

}  // namespace

void add_calibrate_import(CLI::App& group) {
  const auto import = std::make_shared<ImportCommand>();
  CLI::App* command = group.add_subcommand("import", "keep what other programs measured");
  command->add_option("FILE", import->files, "their output")->required();
  add_database(*command, import->database);
  command->add_option("--format", import->format, "of the files")
      ->check(CLI::IsMember(format_names()))
      ->capture_default_str();
  add_facts(*command, *import);
  command->callback([import] {
    for (const auto& [name, op] : base::collective_names)
      if (name == import->operation) import->options.op = op;
    import_files(*import);
  });
}

}  // namespace cli
