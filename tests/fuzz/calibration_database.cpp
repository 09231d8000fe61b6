#include "calibrate/store/store.hpp"
#include "tests/fuzz/database_file.hpp"
#include "tests/fuzz/fuzz.hpp"

/// Any bytes as a calibration: read, refused, or found to be damaged.
void fuzz_one(std::string_view bytes) {
  fuzz::with_database_file(bytes, [](const std::string& path) {
    const auto store = calibrate::store::Store::open(path, calibrate::store::Access::read);
    if (store) {
      store->all();
      store->fits();
    } else {
      fuzz::check_refusal(store.error());
    }
  });
}
