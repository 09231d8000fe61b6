#include "calibrate/harness/device.hpp"

#include <fmt/format.h>

#include <type_traits>
#include <utility>

#include "base/check.hpp"

namespace calibrate::harness {

struct Device::Opened {
  const foreshard_compute& runtime;
  void* handle;

  Opened(const foreshard_compute& of, void* device) : runtime(of), handle(device) {}
  Opened(const Opened&) = delete;
  ~Opened() { runtime.close(handle); }

  void check(std::int32_t code, const char* what) const {
    if (code != 0) throw base::EnvironmentError(fmt::format("{}: {}", what, runtime.error(handle)));
  }
  void* checked(void* made, const char* what) const {
    check(made == nullptr ? 1 : 0, what);
    return made;
  }
};

namespace {

foreshard_kernel described(const KernelTask& task, const std::string& dtype,
                           const std::string& output) {
  foreshard_kernel shape{};
  shape.kind = task.kind.c_str();
  shape.dtype = dtype.c_str();
  shape.output = output.c_str();
  if (const auto* gemm = std::get_if<base::Gemm>(&task.kernel)) {
    shape.m = gemm->m;
    shape.n = gemm->n;
    shape.k = gemm->k;
    shape.batch = gemm->batch;
    shape.adds = gemm->adds ? 1 : 0;
  } else if (const auto* attention = std::get_if<base::Attention>(&task.kernel)) {
    shape.causal = attention->causal ? 1 : 0;
    shape.backward = attention->backward ? 1 : 0;
    shape.flash = attention->flash ? 1 : 0;
    shape.sequences = attention->batch;
    shape.seq_q = attention->seq_q;
    shape.seq_kv = attention->seq_kv;
    shape.q_heads = attention->q_heads;
    shape.kv_heads = attention->kv_heads;
    shape.head_dim = attention->head_dim;
    shape.value_dim = attention->value_dim;
    shape.window = attention->window;
  } else {
    const auto& work = std::get<base::MemoryBound>(task.kernel);
    shape.rows = task.rows;
    shape.columns = task.columns;
    shape.bytes = work.bytes.count() / work.kernels;
  }
  return shape;
}

}  // namespace

KernelTask task_of(const base::Kernel& kernel) {
  KernelTask task;
  task.kernel = kernel;
  if (const auto* gemm = std::get_if<base::Gemm>(&kernel)) {
    task.kind = "gemm";
    task.dtype = gemm->dtype;
  } else if (const auto* attention = std::get_if<base::Attention>(&kernel)) {
    task.kind = "attention";
    task.dtype = attention->dtype;
  } else {
    const auto& work = std::get<base::MemoryBound>(kernel);
    task.kind = "copy";
    const auto element = static_cast<std::int64_t>(base::bytes_of(task.dtype));
    task.rows = 1;
    task.columns = std::max<std::int64_t>(1, work.bytes.count() / work.kernels / (2 * element));
  }
  return task;
}

void Device::Work::launch(void* stream) const {
  for (int i = 0; i < launches_; ++i)
    device_->check(device_->runtime.launch(device_->handle, work_.get(), stream), "launch");
}

base::Result<Device> Device::open(const foreshard_compute& runtime, int ordinal) {
  const int count = runtime.devices();
  if (ordinal >= count && count > 0)
    return tl::unexpected(base::Diagnostics{
        {{}, fmt::format("no device {} here", ordinal), fmt::format("there are {}", count)}});
  void* const handle = count > 0 ? runtime.open(ordinal) : nullptr;
  if (handle == nullptr)
    return tl::unexpected(
        base::Diagnostics{{{}, fmt::format("no device can be used: {}", runtime.error(nullptr))}});
  return Device(std::make_shared<const Opened>(runtime, handle));
}

bool Device::host() const {
  foreshard_device_info info{};
  opened_->check(opened_->runtime.info(opened_->handle, &info), "device");
  return info.host != 0;
}

int Device::count() const { return opened_->runtime.devices(); }

calibrate::Device Device::description() const {
  foreshard_device_info info{};
  opened_->check(opened_->runtime.info(opened_->handle, &info), "device");
  return {info.name, info.identity, base::Bytes::from_count(info.memory)};
}

std::vector<Software> Device::software() const {
  std::vector<Software> all;
  foreshard_software one{};
  for (int i = 0; opened_->runtime.software(opened_->handle, i, &one) == 0; ++i)
    all.push_back({one.name, one.version});
  return all;
}

foreshard_sensors Device::sensors() const {
  foreshard_sensors now{};
  opened_->check(opened_->runtime.sensors(opened_->handle, &now), "sensors");
  return now;
}

base::Result<Device::Work> Device::prepare(const KernelTask& task,
                                           const std::string& variant) const {
  const std::string dtype(base::name_of(task.dtype));
  const auto* const gemm = std::get_if<base::Gemm>(&task.kernel);
  const std::string output(base::name_of(gemm != nullptr ? gemm->output : task.dtype));
  const foreshard_kernel shape = described(task, dtype, output);
  void* const made = opened_->runtime.prepare(opened_->handle, &shape,
                                              variant.empty() ? nullptr : variant.c_str());
  if (made == nullptr)
    return tl::unexpected(base::Diagnostics{
        {{}, fmt::format("{}: {}", task.kind, opened_->runtime.error(opened_->handle))}});
  Work work;
  work.device_ = opened_;
  work.work_ = std::shared_ptr<void>(
      made, [opened = opened_](void* old) { opened->runtime.discard(opened->handle, old); });
  if (const auto* traffic = std::get_if<base::MemoryBound>(&task.kernel))
    work.launches_ = traffic->kernels;
  work.library_ = opened_->runtime.library(opened_->handle, made);
  work.variant_ = opened_->runtime.variant(opened_->handle, made);
  return work;
}

std::shared_ptr<void> Device::allocate(base::Bytes bytes) const {
  void* const memory = opened_->checked(opened_->runtime.allocate(opened_->handle, bytes.count()),
                                        "memory of the device");
  return {memory, [opened = opened_](void* old) { opened->runtime.release(opened->handle, old); }};
}

void Device::to_device(void* memory, const void* host, base::Bytes bytes) const {
  opened_->check(opened_->runtime.to_device(opened_->handle, memory, host, bytes.count()),
                 "copy to the device");
}

void Device::to_host(void* host, const void* memory, base::Bytes bytes) const {
  opened_->check(opened_->runtime.to_host(opened_->handle, host, memory, bytes.count()),
                 "copy from the device");
}

std::shared_ptr<void> Device::stream() const {
  if (host()) return nullptr;
  void* const made = opened_->checked(opened_->runtime.create_stream(opened_->handle), "stream");
  return {made,
          [opened = opened_](void* old) { opened->runtime.destroy_stream(opened->handle, old); }};
}

std::shared_ptr<void> Device::event() const {
  void* const made = opened_->checked(opened_->runtime.create_event(opened_->handle), "event");
  return {made,
          [opened = opened_](void* old) { opened->runtime.destroy_event(opened->handle, old); }};
}

void Device::synchronise(void* stream) const {
  opened_->check(opened_->runtime.synchronise(opened_->handle, stream), "device");
}

void Device::record(void* event, void* stream) const {
  opened_->check(opened_->runtime.record(opened_->handle, event, stream), "event");
}

void Device::wait(void* stream, void* event) const {
  opened_->check(opened_->runtime.wait(opened_->handle, stream, event), "event");
}

double Device::elapsed(void* begin, void* end) const {
  double seconds = 0;
  opened_->check(opened_->runtime.elapsed(opened_->handle, begin, end, &seconds), "event");
  return seconds;
}

}  // namespace calibrate::harness
