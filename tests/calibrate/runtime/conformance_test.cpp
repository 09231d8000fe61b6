// What every runtime has to do, tried with those that were built and have a device here.

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <numeric>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "calibrate/records.hpp"
#include "calibrate/runtime/loader.hpp"
#include "tests/calibrate/backend_support.hpp"
#include "tests/calibrate/runtime/network_check.hpp"
#include "tests/support/folder.hpp"

namespace calibrate::runtime {
namespace {

namespace fs = std::filesystem;

/// The library of a runtime in the folder where they are built; empty where it was not.
std::string built(const std::string& name) {
  const std::string path = FORESHARD_RUNTIME_FOLDER "/foreshard_" + name + ".so";
  if (fs::exists(path)) return path;
  WARN("runtime " << name << " was not built here: skipped");
  return {};
}

class OpenDevice {
 public:
  OpenDevice(const foreshard_compute& compute, int index)
      : compute_(compute), device_(compute.open(index)) {}
  ~OpenDevice() {
    if (device_ != nullptr) compute_.close(device_);
  }
  OpenDevice(const OpenDevice&) = delete;
  OpenDevice& operator=(const OpenDevice&) = delete;

  void* get() const { return device_; }

 private:
  const foreshard_compute& compute_;
  void* device_;
};

bool is_host(const foreshard_compute& compute, void* device) {
  foreshard_device_info info{};
  REQUIRE(compute.info(device, &info) == 0);
  CHECK_FALSE(std::string_view(info.name).empty());
  CHECK(info.memory > 0);
  return info.host != 0;
}

void check_memory(const foreshard_compute& compute, void* device) {
  std::vector<std::int32_t> sent(1000);
  std::iota(sent.begin(), sent.end(), 7);
  std::vector<std::int32_t> back(sent.size());
  void* memory = compute.allocate(device, 4000);
  REQUIRE(memory != nullptr);
  CHECK(compute.to_device(device, memory, sent.data(), 4000) == 0);
  CHECK(compute.to_host(device, back.data(), memory, 4000) == 0);
  compute.release(device, memory);
  CHECK(back == sent);
  CHECK(compute.allocate(device, std::int64_t{1} << 60) == nullptr);
  CHECK_FALSE(std::string_view(compute.error(device)).empty());
}

void check_streams(const foreshard_compute& compute, void* device) {
  void* first = compute.create_stream(device);
  void* second = compute.create_stream(device);
  void* begin = compute.create_event(device);
  void* end = compute.create_event(device);
  REQUIRE(first != nullptr);
  REQUIRE(begin != nullptr);
  CHECK(first != second);
  CHECK(compute.record(device, begin, first) == 0);
  CHECK(compute.wait(device, second, begin) == 0);
  CHECK(compute.record(device, end, second) == 0);
  double seconds = -1;
  CHECK(compute.elapsed(device, begin, end, &seconds) == 0);
  CHECK(seconds >= 0);
  CHECK(compute.synchronise(device, second) == 0);
  compute.destroy_event(device, begin);
  compute.destroy_event(device, end);
  compute.destroy_stream(device, first);
  compute.destroy_stream(device, second);
}

foreshard_kernel small(const char* kind, const char* dtype) {
  foreshard_kernel kernel{};
  kernel.kind = kind;
  kernel.dtype = dtype;
  kernel.output = std::string_view(dtype) == "fp8" ? "bf16" : dtype;
  kernel.m = 64;
  kernel.n = 128;
  kernel.k = 256;
  kernel.batch = 1;
  kernel.causal = 1;
  kernel.flash = 1;
  kernel.sequences = 1;
  kernel.seq_q = kernel.seq_kv = 128;
  kernel.q_heads = 4;
  kernel.kv_heads = 2;
  kernel.head_dim = kernel.value_dim = 64;
  kernel.rows = 64;
  kernel.columns = 256;
  return kernel;
}

/// Whether a kernel was prepared; if so it has been launched several times, too.
bool works(const foreshard_compute& compute, void* device, void* stream,
           const foreshard_kernel& kernel, const char* variant) {
  INFO(kernel.kind << " " << kernel.dtype << " backward " << kernel.backward << " adds "
                   << kernel.adds << " batch " << kernel.batch);
  void* work = compute.prepare(device, &kernel, variant);
  if (work == nullptr) {
    CHECK_FALSE(std::string_view(compute.error(device)).empty());
    return false;
  }
  for (int i = 0; i < 3; ++i) CHECK(compute.launch(device, work, stream) == 0);
  CHECK(compute.synchronise(device, stream) == 0);
  CHECK(compute.library(device, work) != nullptr);
  CHECK(compute.variant(device, work) != nullptr);
  compute.discard(device, work);
  return true;
}

void check_kernels(const foreshard_compute& compute, void* device, void* stream) {
  for (const std::string_view kind : kernel_kinds) {
    int working = 0;
    for (const char* dtype : {"fp32", "tf32", "bf16", "fp16", "fp8"})
      working += works(compute, device, stream, small(kind.data(), dtype), nullptr) ? 1 : 0;
    if (working == 0) WARN("no kernel of kind " << kind);
    if (kind == "gemm" || kind == "copy" || kind == "launch") CHECK(working > 0);
  }
  foreshard_kernel gemm = small("gemm", "fp32");
  for (const char* variant : {"heuristic", "best"})
    CHECK(works(compute, device, stream, gemm, variant));
  gemm.adds = 1;
  gemm.batch = 3;
  CHECK(works(compute, device, stream, gemm, nullptr));
  foreshard_kernel attention = small("attention", "bf16");
  attention.backward = 1;
  if (!works(compute, device, stream, attention, nullptr))
    WARN("no backward attention: " << compute.error(device));
  CHECK_FALSE(works(compute, device, stream, small("origami", "fp32"), nullptr));
  CHECK_FALSE(works(compute, device, stream, small("gemm", "fp3"), nullptr));
}

TEST_CASE("runtimes that compute do what their interface says") {
  const std::string name = GENERATE("cuda", "blas");
  const std::string path = built(name);
  if (path.empty()) return;
  const Environment variable(library_variable(name), path);
  const auto loaded = load_compute(name);
  INFO((loaded ? "" : text_of(loaded.error())));
  REQUIRE(loaded);
  const foreshard_compute& compute = **loaded;
  const int devices = compute.devices();
  CHECK(compute.open(devices) == nullptr);
  CHECK_FALSE(std::string_view(compute.error(nullptr)).empty());
  if (devices == 0) {
    WARN("runtime " << name << " has no device here (" << compute.error(nullptr) << "): skipped");
    return;
  }
  const OpenDevice device(compute, 0);
  REQUIRE(device.get() != nullptr);
  foreshard_software software{};
  int libraries = 0;
  while (compute.software(device.get(), libraries, &software) == 0) {
    CHECK_FALSE(std::string_view(software.name).empty());
    REQUIRE(++libraries < 16);
  }
  CHECK(libraries > 0);
  foreshard_sensors sensors{};
  CHECK(compute.sensors(device.get(), &sensors) == 0);
  check_memory(compute, device.get());
  const bool host = is_host(compute, device.get());
  if (!host) check_streams(compute, device.get());
  void* stream = host ? nullptr : compute.create_stream(device.get());
  check_kernels(compute, device.get(), stream);
  if (!host) compute.destroy_stream(device.get(), stream);
}

/// Ranks as threads of this process, each on a device of its own where there are devices.
std::vector<std::string> check_ranks(const foreshard_network& network,
                                     const foreshard_compute* compute, int ranks) {
  const Folder folder;
  std::vector<std::vector<std::string>> of_ranks(static_cast<std::size_t>(ranks));
  {
    std::vector<std::jthread> threads;
    for (int rank = 0; rank < ranks; ++rank)
      threads.emplace_back([&, rank] {
        of_ranks.at(static_cast<std::size_t>(rank)) =
            check_network(network, compute, {rank, ranks, folder.path().c_str(), rank, 30});
      });
  }
  std::vector<std::string> problems;
  for (const auto& mine : of_ranks) problems.insert(problems.end(), mine.begin(), mine.end());
  return problems;
}

TEST_CASE("runtimes that join ranks in threads do what their interface says") {
  const std::string name = GENERATE("nccl", "gloo");
  const std::string path = built(name);
  if (path.empty()) return;
  const Environment variable(library_variable(name), path);
  const auto loaded = load_network(name);
  INFO((loaded ? "" : text_of(loaded.error())));
  REQUIRE(loaded);
  const foreshard_compute* compute = nullptr;
  int devices = 4;
  if (name == "nccl") {
    const std::string cuda_path = built("cuda");
    REQUIRE_FALSE(cuda_path.empty());
    const Environment cuda(library_variable("cuda"), cuda_path);
    const auto cuda_loaded = load_compute("cuda");
    REQUIRE(cuda_loaded);
    compute = *cuda_loaded;
    devices = compute->devices();
    if (devices == 0) {
      WARN("runtime nccl has no device here (" << compute->error(nullptr) << "): skipped");
      return;
    }
  }
  for (const int ranks : {1, 2, 4}) {
    if (ranks > devices) continue;
    for (const std::string& problem : check_ranks(**loaded, compute, ranks)) FAIL_CHECK(problem);
  }
}

}  // namespace
}  // namespace calibrate::runtime
