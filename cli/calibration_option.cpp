#include "cli/calibration_option.hpp"

#include <memory>
#include <utility>

#include "cli/exit_code.hpp"
#include "cli/forecast.hpp"
#include "cli/output.hpp"
#include "cli/stored_runs.hpp"

namespace cli {

void CalibrationOption::add_to(CLI::App& command) {
  command
      .add_option("--calibration", files,
                  "take what was measured there before models; repeatable, the first that knows "
                  "answers")
      ->type_name("FILE")
      ->expected(1)
      ->allow_extra_args(false)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
}

calibrate::Calibrations CalibrationOption::load() const {
  if (files.empty()) return nullptr;
  const auto registry = topology::HardwareRegistry::read(hardware_folder());
  if (!registry) {
    print(registry.error());
    leave_with(mistake);
  }
  auto calibrations = std::make_shared<std::vector<calibrate::Calibration>>();
  for (const std::string& file : files)
    calibrations->push_back(calibrate::fit_calibration(file, stored_runs(file), *registry));
  return calibrations;
}

}  // namespace cli
