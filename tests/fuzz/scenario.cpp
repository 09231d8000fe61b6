#include "sim/scenario.hpp"

#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "tests/fuzz/fuzz.hpp"

namespace {

namespace fs = std::filesystem;

/// A folder of this process, removed at its end, with two machines of the shipped hardware: reading
/// all of it for every input would take nearly all of the time.
class Workplace {
 public:
  Workplace()
      : folder_(fs::temp_directory_path() / ("foreshard-fuzz-" + std::to_string(getpid()))) {
    for (const char* file : {"gpus/h100-sxm5-80gb.yaml", "gpus/a100-sxm4-40gb.yaml",
                             "nodes/dgx-h100.yaml", "nodes/p4d.24xlarge.yaml"}) {
      const fs::path to = folder_ / "hardware" / file;
      fs::create_directories(to.parent_path());
      fs::copy_file(fs::path(FORESHARD_SOURCE_DIR) / "scenarios/hardware" / file, to);
    }
    fs::copy_file(fs::path(FORESHARD_SOURCE_DIR) / "scenarios/clusters/quickstart-nodes.json",
                  folder_ / "nodes.json");
    fs::copy_file(fs::path(FORESHARD_SOURCE_DIR) / "scenarios/models/llama-3.1-8b/config.json",
                  folder_ / "config.json");
  }
  ~Workplace() { fs::remove_all(folder_); }

  std::string scenario() const { return folder_ / "scenario.yaml"; }
  std::string hardware() const { return folder_ / "hardware"; }

 private:
  fs::path folder_;
};

}  // namespace

void fuzz_one(std::string_view text) {
  static const Workplace workplace;
  std::ofstream(workplace.scenario(), std::ios::binary)
      .write(text.data(), static_cast<std::streamsize>(text.size()));
  sim::ScenarioOptions options;
  options.path = workplace.scenario();
  options.hardware_folder = workplace.hardware();
  const auto scenario = sim::load_scenario(options);
  if (!scenario) return fuzz::check_refusal(scenario.error());
  fuzz::check(scenario->notes);
  CHECK_INVARIANT(scenario->plan.tensor >= 1 && scenario->plan.data >= 1);
  // What is down was checked: all GPUs reach each other.
  const topology::Router router(scenario->cluster, scenario->routing);
  std::vector<topology::Route> routes;
  const auto last = static_cast<topology::GpuId>(scenario->cluster.gpu_count() - 1);
  CHECK_INVARIANT(router.route(0, last, routes) && router.route(last, last / 2, routes));
}
