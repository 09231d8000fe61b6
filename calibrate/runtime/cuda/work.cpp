#include "calibrate/runtime/cuda/work.hpp"

#include "calibrate/runtime/cuda/check.hpp"

namespace calibrate::runtime::cuda {

namespace {

class Event {
 public:
  Event() { check(cudaEventCreate(&event_), "an event"); }
  ~Event() { cudaEventDestroy(event_); }
  Event(const Event&) = delete;
  Event& operator=(const Event&) = delete;

  cudaEvent_t get() const { return event_; }

 private:
  cudaEvent_t event_ = nullptr;
};

}  // namespace

double seconds_of(const std::function<void(cudaStream_t)>& launch) {
  constexpr int times = 10;
  const Event begin;
  const Event end;
  launch(nullptr);
  check(cudaEventRecord(begin.get(), nullptr), "an event");
  for (int i = 0; i < times; ++i) launch(nullptr);
  check(cudaEventRecord(end.get(), nullptr), "an event");
  check(cudaEventSynchronize(end.get()), "trying a kernel");
  float milliseconds = 0;
  check(cudaEventElapsedTime(&milliseconds, begin.get(), end.get()), "the time of a kernel");
  return static_cast<double>(milliseconds) * 1e-3 / times;
}

}  // namespace calibrate::runtime::cuda
