#include "cli/stored_runs.hpp"

#include "cli/calibration_file.hpp"

namespace cli {

std::vector<calibrate::RunRecords> stored_runs(const std::string& path) {
  return open_calibration(path, calibrate::store::Access::read).all();
}

}  // namespace cli
