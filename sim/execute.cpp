#include "sim/execute.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <condition_variable>
#include <exception>
#include <map>
#include <mutex>
#include <set>
#include <thread>
#include <tuple>
#include <utility>

#include "base/check.hpp"

namespace sim {

using calibrate::Collective;
using calibrate::harness::Device;
using calibrate::harness::World;

NeededWork needed_work(const StepGraph& graph) {
  NeededWork needed;
  std::set<NeededCollective> collectives;
  for (const base::Kernel& kernel : graph.kernels)
    if (std::find(needed.kernels.begin(), needed.kernels.end(), kernel) == needed.kernels.end())
      needed.kernels.push_back(kernel);
  for (const CollectiveUse& use : graph.collectives)
    if (graph.grid.extent(use.axes) > 1)
      collectives.insert({use.op, use.axes, ceil_div(use.bytes, use.parts)});
  for (const Message& message : graph.messages)
    collectives.insert({Collective::send_receive, strategies::Axis::pipeline, message.bytes});
  needed.collectives.assign(collectives.begin(), collectives.end());
  return needed;
}

const Piece* reference_piece(const StepGraph& graph) {
  const Piece* largest = nullptr;
  double most = 0;
  for (const Segment& segment : graph.segments)
    for (const Piece& piece : segment.pieces) {
      if (piece.kernel_count != 1) continue;
      const base::Kernel& kernel = graph.kernels[piece.first_kernel];
      const double flop = base::flop_of(kernel).count();
      if (!std::holds_alternative<base::Gemm>(kernel) || flop <= most) continue;
      largest = &piece;
      most = flop;
    }
  return largest;
}

CollectiveWork collective_work(Collective op, base::Bytes bytes, int ranks,
                               const std::string& dtype) {
  CollectiveWork work;
  work.call.op = op;
  work.call.dtype = dtype;
  const int element = calibrate::find_element_type(dtype)->bytes;
  work.size = calibrate::call_size(op, ranks, bytes.count(), element);
  work.call.count = work.size.count;
  if (!calibrate::has_reduction(op)) work.call.reduction = "none";
  return work;
}

namespace {

using Clock = std::chrono::steady_clock;

/// Marks of tasks that are over: the host waits for them, and the streams of a device for events.
class Done {
 public:
  explicit Done(std::size_t tasks) : done_(tasks, false) {}

  void reset() { std::fill(done_.begin(), done_.end(), false); }
  void mark(std::uint32_t task) {
    const std::lock_guard lock(mutex_);
    done_[task] = true;
    changed_.notify_all();
  }
  void wait(std::uint32_t task) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return done_[task] || failure_ != nullptr; });
    if (failure_ != nullptr && !done_[task]) std::rethrow_exception(failure_);
  }
  void fail(std::exception_ptr failure) {
    const std::lock_guard lock(mutex_);
    if (failure_ == nullptr) failure_ = std::move(failure);
    changed_.notify_all();
  }
  void rethrow() const {
    if (failure_ != nullptr) std::rethrow_exception(failure_);
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<bool> done_;
  std::exception_ptr failure_;
};

/// A call with its group and its memory, that can be launched again and again.
struct ReadyCollective {
  World::Group group;
  CollectiveWork work;
  int parts = 1;
  std::shared_ptr<void> send;
  std::shared_ptr<void> receive;
};

/// Moments on one stream. On a host they are times of the clock, on a device events.
struct Moment {
  Clock::time_point at;
  std::shared_ptr<void> event;
};

class RankExecutor {
 public:
  RankExecutor(const StepGraph& graph, const Device& device, const World& world,
               const ExecuteOptions& options)
      : graph_(graph),
        program_(graph.programs[graph.program_of_rank[static_cast<std::size_t>(world.rank())]]),
        device_(device),
        world_(world),
        options_(options),
        host_(device.host()),
        done_(program_.tasks.size()) {
    for (const Task& task : program_.tasks) streams_used_.insert(task.stream);
    for (const Stream stream : streams_used_) streams_[stream] = device_.stream();
  }

  base::Diagnostics prepare_kernels() {
    base::Diagnostics problems;
    for (const Task& task : program_.tasks)
      if (task.kind == TaskKind::run) prepare_kernels(graph_.segments[task.index], problems);
    return problems;
  }

  /// All ranks together.
  void prepare_exchanges() {
    prepare_collectives();
    prepare_messages();
    prepare_copies();
  }

  RankStep step() {
    const double reference = time_reference();
    done_.reset();
    moments_.assign(program_.tasks.size(), {});
    pieces_.assign(program_.tasks.size(), {});
    if (!host_) device_.synchronise(streams_.at(Stream::compute).get());
    world_.agree(0);
    begin_ = now(Stream::compute);
    std::vector<std::thread> threads;
    for (const Stream stream : streams_used_)
      if (stream != Stream::compute) threads.emplace_back([this, stream] { run_stream(stream); });
    run_stream(Stream::compute);
    for (std::thread& thread : threads) thread.join();
    done_.rethrow();
    if (!host_)
      for (const auto& [stream, handle] : streams_) device_.synchronise(handle.get());
    RankStep step = read();
    step.reference = reference;
    return step;
  }

 private:
  using UseKey = std::pair<std::uint32_t, Stream>;  // of StepGraph::collectives
  /// Who sends to whom, and what: one communicator for each, so that messages keep their order.
  using MessageKey = std::tuple<int, int, std::string, int>;

  // --- making ready ------------------------------------------------------------------------------

  void prepare_kernels(const Segment& segment, base::Diagnostics& problems) {
    for (const Piece& piece : segment.pieces)
      for (std::uint32_t i = 0; i < piece.kernel_count; ++i) {
        const base::Kernel& kernel = graph_.kernels[piece.first_kernel + i];
        if (work_of(kernel) != nullptr) continue;
        auto made = device_.prepare(calibrate::harness::task_of(kernel));
        if (made)
          works_.emplace_back(kernel, std::move(*made));
        else
          problems.insert(problems.end(), made.error().begin(), made.error().end());
      }
  }

  const Device::Work* work_of(const base::Kernel& kernel) const {
    for (const auto& [known, work] : works_)
      if (known == kernel) return &work;
    return nullptr;
  }

  /// Streams run side by side, so a group has a communicator for each of them. All ranks make all
  /// communicators, in one order.
  void prepare_collectives() {
    std::set<std::pair<unsigned, Stream>> wanted;
    std::map<unsigned, strategies::AxisSet> axes_of;
    const auto want = [&](std::uint32_t collective, Stream stream) {
      const strategies::AxisSet axes = graph_.collectives[collective].axes;
      wanted.emplace(axes.bits(), stream);
      axes_of[axes.bits()] = axes;
    };
    for (const Program& program : graph_.programs) for_collectives(program, want);
    std::map<std::pair<unsigned, Stream>, World::Group> groups;
    for (const auto& key : wanted) {
      const strategies::AxisSet axes = axes_of.at(key.first);
      if (graph_.grid.extent(axes) == 1) continue;
      const std::vector<int> members =
          graph_.grid.members(graph_.grid.group_of(world_.rank(), axes), axes);
      groups[key] = world_.group(members);
    }
    for_collectives(program_, [&](std::uint32_t collective, Stream stream) {
      const CollectiveUse& use = graph_.collectives[collective];
      const auto group = groups.find({use.axes.bits(), stream});
      if (group == groups.end() || collectives_.contains({collective, stream})) return;
      collectives_[{collective, stream}] =
          ready(group->second, use.op, ceil_div(use.bytes, use.parts), use.parts);
    });
  }

  template <class Function>
  void for_collectives(const Program& program, const Function& function) const {
    for (const Task& task : program.tasks) {
      if (task.kind == TaskKind::collective) function(task.index, task.stream);
      if (task.kind != TaskKind::run) continue;
      for (const Piece& piece : graph_.segments[task.index].pieces)
        if (piece.collective >= 0)
          function(static_cast<std::uint32_t>(piece.collective), task.stream);
    }
  }

  ReadyCollective ready(const World::Group& group, Collective op, base::Bytes bytes, int parts) {
    ReadyCollective made;
    made.group = group;
    made.work = collective_work(op, bytes, group.ranks(), options_.dtype);
    made.parts = parts;
    const int element = calibrate::find_element_type(options_.dtype)->bytes;
    const auto memory = [&](std::int64_t count) {
      return device_.allocate(base::Bytes::from_count(std::max<std::int64_t>(1, count) * element));
    };
    made.send = memory(made.work.size.send);
    made.receive = memory(made.work.size.receive);
    return made;
  }

  int peer(int rank, const Message& message) const {
    return graph_.grid.moved(rank, strategies::Axis::pipeline, message.peer_stage);
  }

  void prepare_messages() {
    std::set<MessageKey> all;
    for (int rank = 0; rank < graph_.grid.size(); ++rank)
      for (const Task& task :
           graph_.programs[graph_.program_of_rank[static_cast<std::size_t>(rank)]].tasks)
        if (task.kind == TaskKind::send) {
          const Message& message = graph_.messages[task.index];
          all.emplace(rank, peer(rank, message), message.name, message.sender_chunk);
        }
    for (const MessageKey& key : all) {
      const auto [from, to, name, chunk] = key;
      const bool member = world_.rank() == from || world_.rank() == to;
      const std::vector<int> pair = member ? std::vector<int>{from, to} : std::vector<int>{};
      if (World::Group group = world_.group(pair); member) pairs_[key] = std::move(group);
    }
    for (const Task& task : program_.tasks) {
      if (task.kind != TaskKind::send && task.kind != TaskKind::receive) continue;
      const bool sends = task.kind == TaskKind::send;
      if (messages_.contains({task.index, sends})) continue;
      const Message& message = graph_.messages[task.index];
      const int other = peer(world_.rank(), message);
      const MessageKey key{sends ? world_.rank() : other, sends ? other : world_.rank(),
                           message.name, message.sender_chunk};
      ReadyCollective made = ready(pairs_.at(key), Collective::send_receive, message.bytes, 1);
      made.work.call.destination = sends ? 1 : -1;
      made.work.call.source = sends ? -1 : 0;
      messages_[{task.index, sends}] = std::move(made);
    }
  }

  void prepare_copies() {
    for (const Task& task : program_.tasks)
      if (task.kind == TaskKind::copy && !copies_.contains(task.index)) {
        const base::Bytes bytes = graph_.copies[task.index].bytes;
        copies_[task.index] = {device_.allocate(bytes),
                               std::vector<std::byte>(static_cast<std::size_t>(bytes.count()))};
      }
  }

  // --- running -----------------------------------------------------------------------------------

  /// All ranks at once, as they were measured.
  double time_reference() {
    const Piece* const piece = reference_piece(graph_);
    const Device::Work* const work =
        piece == nullptr ? nullptr : work_of(graph_.kernels[piece->first_kernel]);
    if (work == nullptr) return 0;
    constexpr int launches = 3;
    void* const stream = streams_.at(Stream::compute).get();
    world_.agree(0);
    const Moment begin = now(Stream::compute);
    for (int i = 0; i < launches; ++i) work->launch(stream);
    const Moment end = now(Stream::compute);
    device_.synchronise(stream);
    return seconds(begin, end) / launches;
  }

  Moment now(Stream stream) {
    if (host_) return {Clock::now(), nullptr};
    Moment moment{{}, device_.event()};
    device_.record(moment.event.get(), streams_.at(stream).get());
    return moment;
  }

  void run_stream(Stream stream) {
    try {
      for (std::uint32_t i = 0; i < program_.tasks.size(); ++i)
        if (program_.tasks[i].stream == stream) run_task(i);
    } catch (const std::exception& failure) {
      options_.failed(failure);
      done_.fail(std::current_exception());
    }
  }

  void run_task(std::uint32_t index) {
    const Task& task = program_.tasks[index];
    for (std::uint32_t i = 0; i < task.dependency_count; ++i) {
      const std::uint32_t before = program_.dependencies[task.first_dependency + i];
      done_.wait(before);
      if (!host_ && program_.tasks[before].stream != task.stream)
        device_.wait(streams_.at(task.stream).get(), moments_[before].second.event.get());
    }
    moments_[index].first = now(task.stream);
    void* const stream = streams_.at(task.stream).get();
    switch (task.kind) {
      case TaskKind::run: run_segment(index, task); break;
      case TaskKind::collective:
        if (const auto found = collectives_.find({task.index, task.stream});
            found != collectives_.end())
          launch(found->second, stream);
        break;
      case TaskKind::send: launch(messages_.at({task.index, true}), stream); break;
      case TaskKind::receive: launch(messages_.at({task.index, false}), stream); break;
      case TaskKind::copy: copy(task); break;
    }
    moments_[index].second = now(task.stream);
    done_.mark(index);
  }

  void run_segment(std::uint32_t index, const Task& task) {
    void* const stream = streams_.at(task.stream).get();
    std::vector<std::array<Moment, 3>>& times = pieces_[index];
    for (const Piece& piece : graph_.segments[task.index].pieces) {
      std::array<Moment, 3>& moments = times.emplace_back();
      moments[0] = now(task.stream);
      for (std::uint32_t i = 0; i < piece.kernel_count; ++i)
        work_of(graph_.kernels[piece.first_kernel + i])->launch(stream);
      moments[1] = now(task.stream);
      if (piece.collective >= 0)
        if (const auto found =
                collectives_.find({static_cast<std::uint32_t>(piece.collective), task.stream});
            found != collectives_.end())
          launch(found->second, stream);
      moments[2] = now(task.stream);
    }
  }

  void launch(const ReadyCollective& of, void* stream) const {
    for (int i = 0; i < of.parts; ++i)
      of.group.run(of.work.call, of.send.get(), of.receive.get(), stream);
  }

  void copy(const Task& task) {
    auto& [device, host] = copies_.at(task.index);
    const auto bytes = base::Bytes::from_count(static_cast<std::int64_t>(host.size()));
    task.stream == Stream::device_to_host ? device_.to_host(host.data(), device.get(), bytes)
                                          : device_.to_device(device.get(), host.data(), bytes);
  }

  double seconds(const Moment& from, const Moment& to) const {
    if (host_) return std::chrono::duration<double>(to.at - from.at).count();
    return device_.elapsed(from.event.get(), to.event.get());
  }

  RankStep read() const {
    RankStep step;
    for (std::size_t i = 0; i < program_.tasks.size(); ++i) {
      const double begin = seconds(begin_, moments_[i].first);
      const double end = seconds(begin_, moments_[i].second);
      step.spans.push_back({begin, begin, end, 0});
      step.seconds = std::max(step.seconds, end);
      step.pieces.emplace_back();
      for (const std::array<Moment, 3>& piece : pieces_[i])
        step.pieces.back().push_back({seconds(piece[0], piece[1]), seconds(piece[1], piece[2])});
    }
    return step;
  }

  const StepGraph& graph_;
  const Program& program_;
  const Device& device_;
  const World& world_;
  const ExecuteOptions& options_;
  bool host_;
  Done done_;
  std::set<Stream> streams_used_{Stream::compute};
  std::map<Stream, std::shared_ptr<void>> streams_;
  std::vector<std::pair<base::Kernel, Device::Work>> works_;
  std::map<UseKey, ReadyCollective> collectives_;
  std::map<MessageKey, World::Group> pairs_;
  std::map<std::pair<std::uint32_t, bool>, ReadyCollective> messages_;  // by message; sent or not
  std::map<std::uint32_t, std::pair<std::shared_ptr<void>, std::vector<std::byte>>> copies_;
  Moment begin_;
  std::vector<std::pair<Moment, Moment>> moments_;          // by task
  std::vector<std::vector<std::array<Moment, 3>>> pieces_;  // by task and piece
};

}  // namespace

base::Result<std::vector<RankStep>> execute(const StepGraph& graph, const Device& device,
                                            const World& world, const ExecuteOptions& options) {
  CHECK_INVARIANT(world.ranks() == graph.grid.size());
  RankExecutor executor(graph, device, world, options);
  // All ranks run or none does.
  base::Diagnostics problems = executor.prepare_kernels();
  const std::int32_t mine = problems.empty() ? 1 : 0;
  const std::vector<std::int32_t> all = world.share(std::vector{mine});
  if (!problems.empty()) return tl::unexpected(std::move(problems));
  if (std::find(all.begin(), all.end(), 0) != all.end())
    return tl::unexpected(base::Diagnostics{{{}, "another rank cannot execute the step"}});
  executor.prepare_exchanges();
  std::vector<RankStep> steps;
  for (int i = 0; i < options.warm_up + options.steps; ++i) {
    RankStep step = executor.step();
    if (i >= options.warm_up) steps.push_back(std::move(step));
  }
  return steps;
}

}  // namespace sim
