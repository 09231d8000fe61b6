#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "calibrate/import/nccl_tests_output.hpp"
#include "cli/calibrate.hpp"
#include "cli/calibration_file.hpp"
#include "cli/exit_code.hpp"
#include "cli/output.hpp"
#include "viz/calibration_csv.hpp"
#include "viz/calibration_json.hpp"

namespace cli {

namespace {

using Runs = std::vector<calibrate::RunRecords>;
using Fits = std::vector<calibrate::store::FitRow>;

struct ExportOptions {
  std::string database;
  std::string format;
  std::string what = "collectives";
  std::string run;
  std::string output = "-";
};

/// One way to write a calibration; formats of one kind of rows have a line for each.
struct Format {
  std::string_view name;
  std::string_view what;  ///< "collectives", "kernels"; empty: both at once
  std::string (*write)(const Runs& runs, const Fits& fits);
};

template <std::string (*write)(const calibrate::RunRecords&)>
std::string each(const Runs& runs, const Fits&) {
  std::string text;
  for (const calibrate::RunRecords& run : runs) text += write(run);
  return text;
}

constexpr std::array<Format, 5> formats{{
    {"json", "", viz::calibration_json},
    {"csv", "collectives",
     [](const Runs& runs, const Fits&) { return viz::collectives_csv(runs); }},
    {"csv", "kernels", [](const Runs& runs, const Fits&) { return viz::kernels_csv(runs); }},
    {"nccl-tests", "collectives", each<calibrate::nccl_tests_text>},
    {"nccl-tests-json", "collectives", each<calibrate::nccl_tests_json>},
}};

std::vector<std::string> format_names() {
  std::vector<std::string> names;
  for (const Format& format : formats)
    if (names.empty() || names.back() != format.name) names.emplace_back(format.name);
  return names;
}

/// Leaves out what the formats of other programs have no place for, and tells how much that is.
Runs with_times_only(Runs runs) {
  std::size_t untimed = 0;
  std::size_t overlaps = 0;
  for (calibrate::RunRecords& run : runs) {
    overlaps += run.overlaps.size();
    run.overlaps.clear();
    untimed +=
        std::erase_if(run.collectives, [](const auto& record) { return !(record.times.mean > 0); });
  }
  const auto tell = [](std::size_t count, const std::string& what) {
    if (count > 0)
      print({{{},
              fmt::format("{} {} left out", count, what),
              "--format json has them",
              base::Severity::note}});
  };
  tell(untimed, "choices of a library, without times, are");
  tell(overlaps, "times of collectives beside kernels are");
  return runs;
}

void write_calibration(const ExportOptions& options) {
  const auto* const format =
      std::find_if(formats.begin(), formats.end(), [&](const Format& candidate) {
        return candidate.name == options.format &&
               (candidate.what.empty() || candidate.what == options.what);
      });
  if (format == formats.end()) {
    print({{{}, "the format " + options.format + " has no " + options.what, ""}});
    leave_with(wrong_command);
  }
  const auto store = open_calibration(options.database, calibrate::store::Access::read);
  Runs runs = runs_of(store, options.run);
  if (!format->what.empty()) runs = with_times_only(std::move(runs));
  write_output(options.output, format->write(runs, store.fits()));
}

}  // namespace

void add_calibrate_export(CLI::App& group) {
  const auto options = std::make_shared<ExportOptions>();
  CLI::App* command = group.add_subcommand("export", "write a calibration for other programs");
  add_database(*command, options->database);
  command->add_option("--format", options->format, "how")
      ->required()
      ->check(CLI::IsMember(format_names()));
  command->add_option("--what", options->what, "which rows, of formats that have one kind of them")
      ->check(CLI::IsMember(std::vector<std::string>{"collectives", "kernels"}))
      ->capture_default_str();
  add_run(*command, options->run);
  command->add_option("--output", options->output, "where to; - is stdout")
      ->type_name("FILE|-")
      ->check(CLI::Validator(check_output_path, ""))
      ->capture_default_str();
  command->callback([options] { write_calibration(*options); });
}

}  // namespace cli
