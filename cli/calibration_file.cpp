#include "cli/calibration_file.hpp"

#include <fmt/format.h>

#include <utility>

#include "cli/exit_code.hpp"
#include "cli/output.hpp"

namespace cli {

calibrate::store::Store open_calibration(const std::string& path, calibrate::store::Access access) {
  auto store = calibrate::store::Store::open(path, access);
  if (!store) {
    print(store.error());
    leave_with(mistake);
  }
  return std::move(*store);
}

void add_run(CLI::App& command, std::string& prefix) {
  command.add_option("--run", prefix, "of this run only; its first digits are enough")
      ->type_name("ID");
}

std::vector<calibrate::RunRecords> runs_of(const calibrate::store::Store& store,
                                           const std::string& prefix) {
  std::vector<calibrate::RunRecords> runs = store.all();
  if (prefix.empty()) return runs;
  std::vector<calibrate::RunRecords> chosen;
  for (calibrate::RunRecords& all : runs)
    if (all.run.id.starts_with(prefix)) chosen.push_back(std::move(all));
  if (chosen.size() != 1) {
    print({{{store.path()},
            chosen.empty() ? fmt::format("no run begins with '{}'", prefix)
                           : fmt::format("{} runs begin with '{}'", chosen.size(), prefix),
            "foreshard calibrate show lists them"}});
    leave_with(mistake);
  }
  return chosen;
}

}  // namespace cli
