#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "calibrate/store/store.hpp"
#include "tests/fuzz/fuzz.hpp"

/// Any bytes as a calibration: read, refused, or found to be damaged.
void fuzz_one(std::string_view bytes) {
  const std::filesystem::path path = std::filesystem::temp_directory_path() /
                                     ("foreshard-fuzz-" + std::to_string(getpid()) + ".db");
  std::ofstream(path, std::ios::binary)
      .write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  try {
    const auto store = calibrate::store::Store::open(path, calibrate::store::Access::read);
    if (store) {
      store->all();
      store->fits();
    } else {
      fuzz::check_refusal(store.error());
    }
  } catch (const base::EnvironmentError&) {
    // Damage that only reading finds.
  }
  for (const char* beside : {"", "-wal", "-shm", "-journal"})
    std::filesystem::remove(path.string() + beside);
}
