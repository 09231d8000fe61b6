#include "sim/autoshard/step_writer.hpp"

#include <algorithm>
#include <array>
#include <utility>

namespace sim::autoshard {

Stream StepWriter::stream_of(strategies::AxisSet axes) {
  constexpr std::array streams{Stream::data_comm, Stream::replica_comm, Stream::expert_data_comm,
                               Stream::expert_replica_comm, Stream::model_comm};
  const std::size_t next = std::min(streams_.size(), streams.size() - 1);
  return streams_.try_emplace(axes, streams[next]).first->second;
}

void StepWriter::close() {
  if (!open()) return;
  graph_.segments.push_back(std::move(segment_));
  segment_ = {};
  task_of_run_.back() =
      add_task(program_, {.index = static_cast<std::uint32_t>(graph_.segments.size() - 1)}, waits_);
  waits_.clear();
}

/// By the open run.
void StepWriter::use(const Ready& value) {
  if (value.buffer >= 0)
    buffers_[static_cast<std::size_t>(value.buffer)].last_run =
        static_cast<int>(task_of_run_.size()) - 1;
}

Ready StepWriter::compute(const std::string& label, Phase phase,
                          const std::vector<base::Kernel>& kernels,
                          const std::vector<Ready>& inputs) {
  std::set<std::uint32_t> waits;
  for (const Ready& input : inputs)
    for (const std::uint32_t task : input.comm)
      if (joined_.insert(task).second) waits.insert(task);
  if (!waits.empty()) close();
  if (!open()) {
    task_of_run_.push_back(-1);
    segment_.name = label;
    segment_.phase = phase;
  }
  waits_.insert(waits_.end(), waits.begin(), waits.end());
  for (const base::Kernel& kernel : kernels) pricer_.append(segment_, label, phase, kernel);
  for (const Ready& input : inputs) use(input);
  return {.run = static_cast<int>(task_of_run_.size()) - 1};
}

Ready StepWriter::communicate(const std::string& name, CommKind kind,
                              const strategies::Communication& communication, const Ready& input,
                              bool behind_all) {
  const int last = static_cast<int>(task_of_run_.size()) - 1;
  const int run = behind_all ? last : input.run;
  if (run == last) close();
  std::vector<std::uint32_t> waits = input.comm;
  if (run >= 0)
    waits.push_back(static_cast<std::uint32_t>(task_of_run_[static_cast<std::size_t>(run)]));
  const std::uint32_t task = add_task(program_,
                                      {.kind = TaskKind::collective,
                                       .stream = stream_of(communication.axes),
                                       .index = pricer_.collective(name, kind, communication)},
                                      waits);
  if (input.buffer >= 0) buffers_[static_cast<std::size_t>(input.buffer)].last_task = task;
  return {.comm = {task}};
}

void StepWriter::allocate(Ready& value, MemoryPart part, const std::string& what,
                          base::Bytes bytes) {
  Buffer buffer{.part = part, .what = what, .bytes = bytes};
  if (value.comm.empty()) {
    buffer.first_run = buffer.last_run = value.run;
  } else {
    buffer.first_task = value.comm.back();
    buffer.last_task = buffer.first_task;
  }
  value.buffer = static_cast<int>(buffers_.size());
  buffers_.push_back(std::move(buffer));
}

void StepWriter::begin_update() {
  close();
  program_.update = tasks();
}

Program StepWriter::finish(std::string name) {
  close();
  program_.name = std::move(name);
  const auto task_of = [&](int run) {
    return run < 0 ? -1 : task_of_run_[static_cast<std::size_t>(run)];
  };
  for (const Buffer& buffer : buffers_) {
    const auto first = buffer.first_run < 0 ? buffer.first_task
                                            : static_cast<std::uint32_t>(task_of(buffer.first_run));
    const auto last =
        static_cast<std::uint32_t>(std::max(buffer.last_task, task_of(buffer.last_run)));
    memory_.change(first, /*at_end=*/false, buffer.part, buffer.bytes.count(), buffer.what);
    memory_.change(last, /*at_end=*/true, buffer.part, -buffer.bytes.count(), buffer.what);
  }
  memory_.finish();
  return std::move(program_);
}

}  // namespace sim::autoshard
