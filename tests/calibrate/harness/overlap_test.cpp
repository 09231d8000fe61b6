// A collective and a kernel at once, on a device of which every time is known: the runtimes are
// made up here, with streams that have a clock each.

#include <cstring>
#include <set>

#include "calibrate/harness/overlap_bench.hpp"
#include "calibrate/store/store.hpp"
#include "tests/calibrate/harness/still_runtime.hpp"
#include "tests/calibrate/support.hpp"

namespace calibrate::harness {
namespace {

/// Times are multiples of it, so that their sums are exact.
constexpr double tick = 1.0 / (1 << 20);

struct Stream {
  double now = 0;
};
/// Streams with work that nobody waited for: two of them run at once.
std::set<Stream*> busy;
bool throttled = false;

void work_on(void* stream, double alone, double beside) {
  auto* const on = static_cast<Stream*>(stream);
  busy.insert(on);
  on->now += busy.size() > 1 ? beside : alone;
}

int32_t info(void*, foreshard_device_info* info) {
  *info = {};
  std::strcpy(info->name, "test device");
  return 0;
}
int32_t sensors(void*, foreshard_sensors* sensors) {
  *sensors = {};
  sensors->throttled = throttled ? 1 : 0;
  return 0;
}
void* create_stream(void*) { return new Stream; }
void destroy_stream(void*, void* stream) { delete static_cast<Stream*>(stream); }
int32_t synchronise(void*, void*) {
  busy.clear();
  return 0;
}
void* create_event(void*) { return new double(0); }
void destroy_event(void*, void* event) { delete static_cast<double*>(event); }
int32_t record(void*, void* event, void* stream) {
  *static_cast<double*>(event) = static_cast<Stream*>(stream)->now;
  return 0;
}
int32_t wait(void*, void* stream, void* event) {
  auto* const on = static_cast<Stream*>(stream);
  on->now = std::max(on->now, *static_cast<double*>(event));
  return 0;
}
int32_t elapsed(void*, void* begin, void* end, double* seconds) {
  *seconds = *static_cast<double*>(end) - *static_cast<double*>(begin);
  return 0;
}
void* prepare(void*, const foreshard_kernel*, const char*) { return &here; }
int32_t launch_kernel(void*, void*, void* stream) {
  work_on(stream, 128 * tick, 256 * tick);
  return 0;
}
constexpr foreshard_compute compute{
    abi,         one_device,   open_device,   close_device, no_error, info,          software,
    sensors,     allocate,     release,       copy,         copy,     create_stream, destroy_stream,
    synchronise, create_event, destroy_event, record,       wait,     elapsed,       prepare,
    text,        text,         launch_kernel, nothing};

int32_t launch(void*, void*, const foreshard_collective* call, const void* send, void* receive,
               void* stream) {
  std::memmove(receive, send, static_cast<std::size_t>(call->count) * sizeof(float));
  work_on(stream, 16 * tick, 48 * tick);
  return 0;
}
int32_t estimate(void*, void*, const foreshard_collective*, double*) { return 1; }
constexpr foreshard_network network{abi,          join,    leave,  leave,    no_error,
                                    zero,         one,     zero,   software, share,
                                    communicator, nothing, launch, estimate};

Overlapped measured() {
  const Device device = *Device::open(compute, 0);
  const World world = *World::join(network, {.rank = 0, .ranks = 1, .timeout_s = 1});
  const World::Group group = world.group(std::vector<int>{0});
  const OverlapBench bench(world, device, SweepOptions{},
                           {.warm_up = 1, .batch = 20, .seconds = 0});
  const KernelTask task = standard_kernel(BesideKind::gemm, device.host());
  const Device::Work work = *device.prepare(task);
  CollectiveCall call;
  call.count = 16;
  return bench.measure(group, call, call_size(base::Collective::all_reduce, 1, 64, 4), task, work);
}

TEST_CASE("only work that lies within other work ran beside it") {
  const std::vector<Interval> kernels{{0, 2}, {2, 4}, {4, 6}, {6, 9}};
  const std::vector<Interval> collectives{{1, 3}, {3, 5}, {5, 7}};
  // Within 1 to 7: the second and the third; of collectives, within 0 to 9, all.
  CHECK(seconds_beside(kernels, collectives) == std::vector<double>{2, 2});
  CHECK(seconds_beside(collectives, kernels) == std::vector<double>{2, 2, 2});
  CHECK(seconds_beside(kernels, {}).empty());
}

TEST_CASE("streams of a device are timed alone and at once") {
  throttled = false;
  const Overlapped row = measured();
  CHECK(row.collective.times.mean == 16 * tick);
  CHECK(row.kernel.times.mean == 128 * tick);
  CHECK(std::holds_alternative<base::Gemm>(row.kernel.kernel));
  // Four kernels take as long as 32 collectives, which is more than a batch. The first is alone:
  // 16 + 31 x 48 = 1,504 ticks. In 2 x 32 x 16 ticks there are 8 kernels alone, so that many are
  // launched; of 256 ticks each, 5 end within 1,504. All collectives end within 8 x 256.
  CHECK(row.overlap.collective_times.iterations == 32);
  CHECK(row.overlap.collective_times.p50 == 48 * tick);
  CHECK(row.overlap.kernel_times.iterations == 5);
  CHECK(slowed(row.collective.times, row.overlap.collective_times).value() ==
        Approx(1504.0 / 32 / 16));
  CHECK(slowed(row.kernel.times, row.overlap.kernel_times).value() == Approx(2));
}

TEST_CASE("what ran at once on a throttled device is dropped and counted, and no fit rests on it") {
  throttled = true;
  const Overlapped row = measured();
  throttled = false;
  CHECK(row.overlap.kernel_times.iterations == 0);
  CHECK_FALSE(slowed(row.kernel.times, row.overlap.kernel_times));
  RunRecords run;
  run.collectives = {row.collective};
  run.kernels = {row.kernel};
  run.overlaps = {row.overlap};
  CHECK_FALSE(store::usable(run, run.overlaps.front()));
}

}  // namespace
}  // namespace calibrate::harness
