// One row of figures per shipped scenario: no change of a forecast goes unseen. UPDATE_GOLDEN=1
// rewrites tests/fingerprints.csv; the difference is read in review and explained in the CHANGELOG.

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

#include "cli/forecast.hpp"
#include "tests/cli/program.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/golden.hpp"

namespace {

namespace fs = std::filesystem;

constexpr std::string_view header =
    "scenario,ranks,step_us,lower_bound_us,tokens_per_s,mfu,peak_bytes,fits,tasks\n";

const std::string root = FORESHARD_SOURCE_DIR;

bool is_part(const std::string& path) {
  return path.starts_with("scenarios/hardware/") || path.starts_with("scenarios/models/") ||
         path.starts_with("scenarios/clusters/") || path.starts_with("scenarios/frameworks/") ||
         path.starts_with("scenarios/compare/");
}

/// Several jobs have no one step: their whole answers are golden files.
bool has_jobs(const std::string& path) { return path.starts_with("scenarios/jobs/"); }

/// Shipped ones with several jobs, or with one.
std::vector<std::string> scenarios(bool jobs) {
  std::vector<std::string> found;
  for (const fs::directory_entry& entry : fs::recursive_directory_iterator(root + "/scenarios")) {
    const std::string path = entry.path().lexically_relative(root).generic_string();
    if (entry.path().extension() == ".yaml" && !is_part(path) && has_jobs(path) == jobs)
      found.push_back(path);
  }
  std::sort(found.begin(), found.end());
  return found;
}

std::string row_of(const std::string& path) {
  const auto scenario = sim::load_scenario({root + "/" + path, {}, cli::hardware_folder()});
  if (!scenario) {
    FAIL_CHECK(scenario.error().front().format());
    return {};
  }
  const auto answer = cli::forecast(*scenario, nullptr, sim::Fidelity::hybrid, nullptr);
  if (!answer) {
    FAIL_CHECK(answer.error().front().format());
    return {};
  }
  const sim::Report& report = answer->report;
  {
    INFO(path);
    CHECK(report.lower_bound.s() <= report.step.s() * (1 + 1e-9));  // contention only adds time
    CHECK(report.breakdown.total().s() == Approx(report.step.s()).epsilon(1e-6));
    CHECK(report.step_p10 < report.step);
    CHECK(report.step < report.step_p90);
    CHECK(report.memory.fits);
  }
  std::size_t tasks = 0;
  for (const sim::Program& program : answer->graph.programs) tasks += program.tasks.size();
  return fmt::format("{},{},{:.0f},{:.0f},{:.0f},{:.4f},{},{},{}\n", path, report.ranks,
                     report.step.us(), report.lower_bound.us(), report.tokens_per_s, report.mfu,
                     report.memory.peak.count(), report.memory.fits, tasks);
}

TEST_CASE("fingerprints: every shipped scenario with several jobs answers as it did") {
  for (const std::string& path : scenarios(true)) {
    const Outcome run = foreshard("run " + path);
    CHECK(run.code == 0);
    check_golden("jobs/" + fs::path(path).stem().string() + ".txt", run.out);
  }
}

TEST_CASE("fingerprints: every shipped scenario answers as it did") {
  const std::string path = root + "/tests/fingerprints.csv";
  std::string rows(header);
  for (const std::string& scenario : scenarios(false)) rows += row_of(scenario);
  const char* update = std::getenv("UPDATE_GOLDEN");
  if (update != nullptr && std::string_view(update) == "1") write_file(path, rows);
  std::istringstream expected(contents_of(path));
  std::istringstream actual(rows);
  std::string want;
  std::string got;
  int compared = 0;
  INFO("UPDATE_GOLDEN=1 rewrites tests/fingerprints.csv");
  while (std::getline(actual, got)) {
    std::getline(expected, want);
    CHECK(got == want);  // the strings start with the name of the scenario
    ++compared;
  }
  CHECK_FALSE(std::getline(expected, want));
  CHECK(compared > 1);
}

}  // namespace
