#pragma once

#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>

#include "sim/scenario.hpp"

namespace fuzz {

/// A folder of this process, removed at its end, with two machines of the shipped hardware: reading
/// all of it for every input would take nearly all of the time.
class Workplace {
 public:
  Workplace()
      : folder_(std::filesystem::temp_directory_path() /
                ("foreshard-fuzz-" + std::to_string(getpid()))) {
    for (const char* file : {"gpus/h100-sxm5-80gb.yaml", "gpus/a100-sxm4-40gb.yaml",
                             "nodes/dgx-h100.yaml", "nodes/p4d.24xlarge.yaml"})
      copy("hardware/" + std::string(file), "hardware/" + std::string(file));
    copy("clusters/quickstart-nodes.json", "nodes.json");
    copy("models/llama-3.1-8b/config.json", "config.json");
  }
  ~Workplace() { std::filesystem::remove_all(folder_); }

  std::string folder() const { return folder_; }
  std::string scenario() const { return folder_ / "scenario.yaml"; }
  std::string hardware() const { return folder_ / "hardware"; }
  std::string frameworks() const { return folder_ / "frameworks"; }

  sim::ScenarioOptions options() const {
    sim::ScenarioOptions options;
    options.path = scenario();
    options.hardware_folder = hardware();
    return options;
  }

  /// The scenario that was written.
  base::Result<sim::Scenario> load() const { return sim::load_scenario(options()); }

  /// Writes the text of one input, or what stands beside it.
  static void write(const std::string& path, std::string_view text) {
    std::filesystem::create_directories(std::filesystem::path(path).parent_path());
    std::ofstream(path, std::ios::binary)
        .write(text.data(), static_cast<std::streamsize>(text.size()));
  }

 private:
  void copy(const std::string& shipped, const std::string& to) const {
    std::filesystem::create_directories((folder_ / to).parent_path());
    std::filesystem::copy_file(std::filesystem::path(FORESHARD_SOURCE_DIR) / "scenarios" / shipped,
                               folder_ / to);
  }

  std::filesystem::path folder_;
};

}  // namespace fuzz
