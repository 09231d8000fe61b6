#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "sim/pricer.hpp"
#include "sim/step_graph.hpp"
#include "sim/step_memory.hpp"

namespace sim::autoshard {

/// When a value is there, and in which memory. Without anything: from the beginning, always held.
struct Ready {
  int run = -1;                     ///< number of the run that makes it, see StepWriter
  std::vector<std::uint32_t> comm;  ///< tasks on other streams to wait for
  int buffer = -1;
};

/// Writes a program kernel by kernel: those that follow each other without waiting become one run
/// of the compute stream. Each communicator (set of axes) has a stream of its own, while there are
/// any.
class StepWriter {
 public:
  StepWriter(const strategies::Plan& plan, Pricer& pricer, StepGraph& graph)
      : pricer_(pricer), graph_(graph), memory_(plan, program_) {}

  /// Kernels that read `inputs`.
  Ready compute(const std::string& label, Phase phase, const std::vector<base::Kernel>& kernels,
                const std::vector<Ready>& inputs);
  /// `behind_all`: not before what has been written of the compute stream has run.
  Ready communicate(const std::string& name, CommKind kind,
                    const strategies::Communication& communication, const Ready& input,
                    bool behind_all);
  /// Memory of its own for a value that has just been made.
  void allocate(Ready& value, MemoryPart part, const std::string& what, base::Bytes bytes);
  void hold(MemoryPart part, base::Bytes bytes, const std::string& what) {
    memory_.hold(part, bytes, what);
  }
  /// Ends a run, so that what follows it need not wait for more.
  void close();
  /// What is written next is the optimizer's.
  void begin_update();
  Program finish(std::string name);

  std::uint32_t tasks() const { return static_cast<std::uint32_t>(program_.tasks.size()); }

 private:
  struct Buffer {
    MemoryPart part = MemoryPart::activations;
    std::string what;
    base::Bytes bytes;
    int first_run = -1;  // or else:
    std::uint32_t first_task = 0;
    int last_run = -1;
    std::int64_t last_task = -1;
  };

  bool open() const { return !task_of_run_.empty() && task_of_run_.back() < 0; }
  Stream stream_of(strategies::AxisSet axes);
  void use(const Ready& value);

  Pricer& pricer_;
  StepGraph& graph_;
  Program program_;
  StepMemory memory_;
  std::vector<std::int64_t> task_of_run_;  // -1: still open
  Segment segment_;                        // of the open run
  std::vector<std::uint32_t> waits_;       // and what it waits for
  std::set<std::uint32_t> joined_;         // tasks that the compute stream has waited for
  std::map<strategies::AxisSet, Stream> streams_;
  std::vector<Buffer> buffers_;
};

}  // namespace sim::autoshard
