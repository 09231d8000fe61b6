#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "base/diagnostic.hpp"
#include "cli/cluster_argument.hpp"
#include "cli/exit_code.hpp"
#include "cli/output.hpp"
#include "cli/topology.hpp"
#include "cli/value_or_leave.hpp"
#include "topology/export/format.hpp"
#include "topology/redact.hpp"

namespace cli {

namespace {

struct ImportCommand {
  ClusterArgument cluster;
  std::string output = "-";
  std::string to = "foreshard";
  bool redact = false;
  bool strict = false;
};

const topology::ExportFormat& format_named(const std::string& name) {
  std::vector<std::string_view> names;
  for (const topology::ExportFormat& format : topology::export_formats()) {
    if (format.name == name) return format;
    names.push_back(format.name);
  }
  print({{{}, fmt::format("unknown format '{}' to write", name), base::suggest(name, names)}});
  leave_with(wrong_command);
  std::abort();  // not reached: leave_with throws
}

void import(const ImportCommand& command) {
  const topology::ExportFormat& format = format_named(command.to);
  topology::FoundCluster found = command.cluster.import();
  const auto doubtful = [](const base::Diagnostic& note) {
    return note.severity == base::Severity::warning;
  };
  if (command.strict && std::any_of(found.notes.begin(), found.notes.end(), doubtful)) {
    print({{{}, "nothing is written: there are warnings, and --strict takes none", ""}});
    leave_with(mistake);
  }
  if (command.redact) found = topology::redact(found);
  const topology::Exported written = value_or_leave(format.write(found));
  print(written.notes);
  write_output(command.output, written.text);
}

}  // namespace

void add_topology_import(CLI::App& group) {
  CLI::App* command =
      group.add_subcommand("import", "join dumps of a cluster and write it in another format");
  const auto options = std::make_shared<ImportCommand>();
  options->cluster.add_to(*command);
  std::string names;
  for (const topology::ExportFormat& format : topology::export_formats())
    names += (names.empty() ? "" : ", ") + std::string(format.name);
  command->add_option("--to", options->to, "format to write: " + names)
      ->type_name("NAME")
      ->capture_default_str();
  command->add_option("--output", options->output, "where to; - is stdout")
      ->type_name("FILE|-")
      ->capture_default_str()
      ->check(CLI::Validator(check_output_path, ""));
  command->add_flag("--redact", options->redact,
                    "short numbered names for nodes, switches and jobs, no addresses: to be shown");
  command->add_flag("--strict", options->strict, "write nothing when there is a warning");
  command->callback([options] { import(*options); });
}

}  // namespace cli
