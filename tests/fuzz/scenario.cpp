#include "sim/scenario.hpp"

#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "tests/fuzz/fuzz.hpp"

/// The reader takes a path, since a scenario names other files: here those of scenarios/.
void fuzz_one(std::string_view text) {
  static const std::string path =
      (std::filesystem::temp_directory_path() / ("foreshard-fuzz-" + std::to_string(getpid())))
          .string();
  std::ofstream(path, std::ios::binary).write(text.data(), static_cast<long>(text.size()));
  sim::ScenarioOptions options;
  options.path = path;
  options.hardware_folder = std::string(FORESHARD_SOURCE_DIR) + "/scenarios/hardware";
  const auto scenario = sim::load_scenario(options);
  std::filesystem::remove(path);
  if (!scenario) return fuzz::check_refusal(scenario.error());
  fuzz::check(scenario->notes);
  CHECK_INVARIANT(scenario->plan.tensor >= 1 && scenario->plan.data >= 1);
}
