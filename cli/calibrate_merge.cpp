#include <fmt/format.h>

#include <memory>
#include <string>
#include <vector>

#include "cli/calibrate.hpp"
#include "cli/calibration_file.hpp"
#include "cli/exit_code.hpp"
#include "cli/output.hpp"

namespace cli {

namespace {

struct MergeOptions {
  std::string database;
  std::vector<std::string> from;
};

/// Every file is looked at before the first is taken over.
void merge(const MergeOptions& options) {
  base::Diagnostics problems;
  std::vector<calibrate::store::Store> sources;
  for (const std::string& path : options.from) {
    auto source = calibrate::store::Store::open(path, calibrate::store::Access::read);
    if (source)
      sources.push_back(std::move(*source));
    else
      problems.insert(problems.end(), source.error().begin(), source.error().end());
  }
  if (!problems.empty()) {
    print(problems);
    leave_with(mistake);
  }
  auto into = open_calibration(options.database, calibrate::store::Access::write);
  for (const auto& source : sources) {
    const std::vector<calibrate::RunRecords> runs = source.all();
    const int added = into.add_all(runs);
    write_output("-", fmt::format("{}: {} runs added, {} were there\n", source.path(), added,
                                  static_cast<int>(runs.size()) - added));
  }
}

}  // namespace

void add_calibrate_merge(CLI::App& group) {
  const auto options = std::make_shared<MergeOptions>();
  CLI::App* command = group.add_subcommand("merge", "take the runs of other calibrations over");
  add_database(*command, options->database);
  command->add_option("FROM", options->from, "calibrations; they stay as they are")->required();
  command->callback([options] { merge(*options); });
}

}  // namespace cli
