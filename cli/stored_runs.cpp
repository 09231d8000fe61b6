#include "cli/stored_runs.hpp"

#include <filesystem>
#include <utility>

#include "cli/exit_code.hpp"
#include "cli/output.hpp"

namespace cli {

using calibrate::store::Access;
using calibrate::store::Store;

Store open_calibration(const std::string& path, Access access) {
  if (!std::filesystem::exists(path)) {
    print({{{path}, "no such file", "measure with 'foreshard calibrate', or import measurements"}});
    leave_with(mistake);
  }
  auto store = Store::open(path, access);
  if (!store) {
    print(store.error());
    leave_with(mistake);
  }
  return std::move(*store);
}

std::vector<calibrate::RunRecords> stored_runs(const std::string& path) {
  return open_calibration(path, Access::read).all();
}

}  // namespace cli
