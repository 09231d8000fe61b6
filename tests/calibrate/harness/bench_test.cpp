// The benches on a runtime of one rank that lives in this test, and can be made to err.

#include <algorithm>
#include <chrono>
#include <cstring>
#include <string>
#include <thread>

#include "calibrate/harness/collective_bench.hpp"
#include "calibrate/harness/kernel_bench.hpp"
#include "calibrate/store/store.hpp"
#include "tests/calibrate/harness/still_runtime.hpp"
#include "tests/support/catch.hpp"

namespace calibrate::harness {
namespace {

bool corrupts = false;    // one bit of what is received
int throttled_reads = 0;  // of the sensors that say so from now on
int launches = 0;
int32_t world_size = 1;  // ranks that all do and have what this one does and has

int32_t info(void*, foreshard_device_info* info) {
  *info = {};
  std::strcpy(info->name, "test device");
  info->host = 1;
  return 0;
}
int32_t sensors(void*, foreshard_sensors* sensors) {
  *sensors = {};
  sensors->throttled = throttled_reads > 0 ? 1 : 0;
  throttled_reads = std::max(0, throttled_reads - 1);
  return 0;
}
void* none(void*) { return nullptr; }
int32_t done(void*, void*) { return 0; }
int32_t record(void*, void*, void*) { return 0; }
int32_t elapsed(void*, void*, void*, double*) { return 1; }
void* prepare(void*, const foreshard_kernel* kernel, const char*) {
  return std::string(kernel->kind) == "gemm" ? &here : nullptr;
}
std::chrono::milliseconds launch_takes{};
int32_t launch_kernel(void*, void*, void*) {
  ++launches;
  std::this_thread::sleep_for(launch_takes);
  return 0;
}
constexpr foreshard_compute compute{abi,     one_device, open_device, close_device,  no_error,
                                    info,    software,   sensors,     allocate,      release,
                                    copy,    copy,       none,        nothing,       done,
                                    none,    nothing,    record,      record,        elapsed,
                                    prepare, text,       text,        launch_kernel, nothing};

int32_t launch(void*, void*, const foreshard_collective* call, const void* send, void* receive,
               void*) {
  const auto bytes = static_cast<std::size_t>(call->count) * sizeof(float);
  if (bytes == 0) return 0;
  std::memmove(receive, send, bytes);
  if (corrupts) *static_cast<char*>(receive) ^= 1;
  return 0;
}
int32_t estimate(void*, void*, const foreshard_collective*, double* seconds) {
  *seconds = 1e-6;
  return 0;
}
int32_t ranks(void*) { return world_size; }
int32_t share_alike(void*, const void* mine, void* all, int64_t bytes) {
  for (int32_t rank = 0; rank < world_size; ++rank)
    std::memcpy(static_cast<char*>(all) + rank * bytes, mine, static_cast<std::size_t>(bytes));
  return 0;
}
constexpr foreshard_network network{abi,          join,    leave,  leave,    no_error,
                                    zero,         ranks,   one,    software, share_alike,
                                    communicator, nothing, launch, estimate};

struct Here {
  Device device = *Device::open(compute, 0);
  World world = *World::join(network, {.rank = 0, .ranks = 1, .timeout_s = 1});
  World::Group group = world.group(std::vector<int>{0});

  CollectiveRecord all_reduce(const StopRule& rule) const {
    const CollectiveBench bench(world, device, SweepOptions{}, rule);
    CollectiveCall call;
    call.count = 16;
    return bench.measure(group, call, call_size(base::Collective::all_reduce, 1, 64, 4), false);
  }
};

TEST_CASE("a record says what was measured, where, and what the library expected") {
  corrupts = false;
  throttled_reads = 0;
  const CollectiveRecord row = Here().all_reduce({.warm_up = 1, .batch = 5, .seconds = 0});
  CHECK(row.library == "Test library");
  CHECK(row.device == "test device");
  CHECK(row.bytes.count() == 64);
  CHECK(row.placement == Placement{});
  CHECK(row.wrong == 0);
  CHECK(row.own_estimate == 1e-6);
  CHECK(row.times.samples.size() == 5);
  CHECK(row.times.warm_up == 1);
  CHECK(store::usable(row));
}

TEST_CASE("wrong data is counted, and no fit may rest on it") {
  corrupts = true;
  const CollectiveRecord row = Here().all_reduce({.batch = 5, .seconds = 0});
  corrupts = false;
  CHECK(row.wrong == 1);
  CHECK_FALSE(store::usable(row));
}

TEST_CASE("samples of a throttled device are dropped and counted") {
  throttled_reads = 2;  // two batches, and then no more
  const CollectiveRecord row = Here().all_reduce({.batch = 5, .spread = 1e9, .seconds = 60});
  CHECK(row.times.dropped == 10);
  CHECK(row.times.samples.size() == 5);
}

TEST_CASE("sampling goes on until the spread is reached, or the time is up") {
  const Here where;
  launches = 0;
  const KernelBench patient(where.device, nullptr,
                            {.warm_up = 0, .batch = 10, .spread = 1e-9, .seconds = 0.02});
  const KernelTask task = task_of(base::Gemm{8, 8, 8, 1, base::DType::fp32, base::DType::fp32});
  const auto long_row = patient.measure(task, "");
  REQUIRE(long_row);
  CHECK(long_row->times.iterations > 10);  // an empty kernel never has so small a spread
  CHECK(launches == long_row->times.iterations);
  const KernelBench content(where.device, nullptr,
                            {.warm_up = 0, .batch = 10, .spread = 1e9, .seconds = 60});
  CHECK(content.measure(task, "")->times.iterations == 10);
}

// The scheduler's turns last milliseconds: by itself, a kernel of 1 ms would mostly be timed while
// its rank has the core. 50 ms of them in a row, until all ranks are over, are one time.
TEST_CASE("kernels of ranks that share cores are timed many in a row") {
  const KernelTask task = task_of(base::Gemm{8, 8, 8, 1, base::DType::fp32, base::DType::fp32});
  const StopRule rule{.warm_up = 0, .batch = 10, .spread = 1e9, .seconds = 60};
  const auto measure = [&](int32_t size) {
    world_size = size;
    const Here where;
    launches = 0;
    Times times = KernelBench(where.device, &where.world, rule).measure(task, "")->times;
    world_size = 1;
    return times;
  };
  launch_takes = std::chrono::milliseconds(1);
  CHECK(measure(1).iterations == 10);
  CHECK(launches == 10);
  const Times times = measure(4096);  // more than there are cores
  CHECK(times.iterations == 1);
  // 10 to see how long one takes, at least 1 ms, and what is 50 ms of them, at least 10.
  CHECK(launches >= 10 + 10);
  CHECK(launches <= 10 + 50);
  CHECK(times.mean >= 1e-3);
  launch_takes = {};
}

TEST_CASE("a kernel that the device lacks is a mistake in the runtime's words") {
  const Here where;
  const KernelBench bench(where.device, nullptr, {});
  const auto row = bench.measure(task_of(base::MemoryBound{base::Bytes::from_count(64), 1}), "");
  REQUIRE_FALSE(row);
  CHECK(row.error().front().message == "copy: as the test wants it");
}

}  // namespace
}  // namespace calibrate::harness
