#pragma once

#include <string>
#include <utility>
#include <vector>

#include "sim/step_graph.hpp"
#include "sim/timeline.hpp"

/// One micro-batch over two pipeline stages of two tensor-parallel ranks each, by hand:
///
///     stage 0, ranks 0 and 1:  forward 0-10 ms, sends at 10, receives until 40, backward 40-60,
///                              reduces gradients, optimizer 64-65
///     stage 1, ranks 2 and 3:  receives 10-12, forward 12-22, backward 22-38, sends, …
struct SampleStep {
  sim::StepGraph graph;
  sim::Timeline timeline;
};

inline sim::Piece kernel_piece(std::uint32_t label, sim::Phase phase, double ms) {
  sim::Piece piece;
  piece.label = label;
  piece.phase = phase;
  piece.compute = base::Seconds::from_ms(ms);
  return piece;
}

/// Labels: 0 "matmul", 1 "all-reduce attention", 2 "adam". Segments: 0 forward (7 ms of kernels, a
/// collective of 2 ms alone), 1 backward, 2 optimizer.
inline void add_segments(sim::StepGraph& graph) {
  using sim::Phase;
  graph.labels = {"matmul", "all-reduce attention", "adam"};
  graph.sources = {"roofline"};
  const strategies::AxisSet tensor = strategies::Axis::tensor;
  graph.groups = {{.axes = tensor, .shapes = {{.ranks = 2}}, .shape_of_group = {0, 0}}};
  sim::CollectiveUse reduce{.name = "all-reduce", .kind = sim::CommKind::tensor, .axes = tensor};
  reduce.bytes = base::Bytes::from_mib(1);
  reduce.cost.resize(1);
  reduce.cost[0].total.time = base::Seconds::from_ms(2);
  graph.collectives = {reduce, reduce};
  graph.collectives[1].name = "reduce gradients";
  graph.collectives[1].kind = sim::CommKind::data;

  sim::Piece wait = kernel_piece(1, Phase::communication, 0);
  wait.collective = 0;
  const auto add = [&graph](std::string name, Phase phase, std::vector<sim::Piece> pieces) {
    base::Seconds compute;
    for (const sim::Piece& piece : pieces) compute += piece.compute;
    graph.segments.push_back({std::move(name), phase, std::move(pieces), compute});
  };
  const sim::Piece forward = kernel_piece(0, Phase::forward, 3.5);
  const sim::Piece backward = kernel_piece(0, Phase::backward, 8);
  add("forward chunk 0", Phase::forward, {forward, wait, forward});
  add("backward chunk 0", Phase::backward, {backward, backward});
  add("optimizer", Phase::optimizer, {kernel_piece(2, Phase::optimizer, 1)});
}

inline sim::Task task_of(sim::TaskKind kind, sim::Stream stream, int micro_batch,
                         std::uint32_t index) {
  return {.kind = kind, .stream = stream, .micro_batch = micro_batch, .index = index};
}

/// Makes a task wait for one other.
inline void after(sim::Program& program, std::uint32_t task, std::uint32_t dependency) {
  program.tasks[task].first_dependency = static_cast<std::uint32_t>(program.dependencies.size());
  program.tasks[task].dependency_count = 1;
  program.dependencies.push_back(dependency);
}

inline SampleStep sample_step() {
  using sim::Stream;
  using sim::TaskKind;
  SampleStep step;
  sim::StepGraph& graph = step.graph;
  graph.grid = strategies::RankGrid({2, 1, 1, 1, 2}, strategies::default_order);
  add_segments(graph);
  const base::Bytes bytes = base::Bytes::from_mib(8);
  graph.messages = {{"activation", 1, 0, bytes, {}},
                    {"activation", 0, 0, bytes, {}},
                    {"gradient", 1, 0, bytes, {}},
                    {"gradient", 0, 0, bytes, {}}};
  sim::Program first{.name = "stage 0"};
  first.tasks = {task_of(TaskKind::run, Stream::compute, 0, 0),
                 task_of(TaskKind::send, Stream::send, 0, 0),
                 task_of(TaskKind::receive, Stream::receive, 0, 2),
                 task_of(TaskKind::run, Stream::compute, 0, 1),
                 task_of(TaskKind::collective, Stream::data_comm, -1, 1),
                 task_of(TaskKind::run, Stream::compute, -1, 2)};
  first.memory = {{0, false, sim::MemoryPart::activations, 1000},
                  {3, true, sim::MemoryPart::activations, -1000}};
  first.held = {{sim::MemoryPart::weights, base::Bytes::from_count(5000)}};
  sim::Program second{.name = "stage 1"};
  second.tasks = {task_of(TaskKind::receive, Stream::receive, 0, 1),
                  task_of(TaskKind::run, Stream::compute, 0, 0),
                  task_of(TaskKind::run, Stream::compute, 0, 1),
                  task_of(TaskKind::send, Stream::send, 0, 3),
                  task_of(TaskKind::collective, Stream::data_comm, -1, 1),
                  task_of(TaskKind::run, Stream::compute, -1, 2)};
  for (const auto& [task, dependency] : {std::pair(1U, 0U), {3U, 2U}, {4U, 3U}, {5U, 4U}})
    after(first, task, dependency);
  for (const auto& [task, dependency] : {std::pair(1U, 0U), {3U, 2U}, {4U, 2U}, {5U, 4U}})
    after(second, task, dependency);
  graph.programs = {first, second};
  graph.program_of_rank = {0, 0, 1, 1};

  const std::vector<sim::Span> of_first{{0, 0, .010},       {.010, .010, .012}, {0, .038, .040},
                                        {.040, .040, .060}, {.060, .061, .064}, {.064, .064, .065}};
  const std::vector<sim::Span> of_second{{0, .010, .012},    {.012, .012, .022},
                                         {.022, .022, .038}, {.038, .038, .040},
                                         {.038, .038, .041}, {.041, .041, .042}};
  sim::Timeline& timeline = step.timeline;
  timeline.step = base::Seconds::from_ms(65);
  for (const auto* spans : {&of_first, &of_first, &of_second, &of_second}) {
    timeline.first_span.push_back(static_cast<std::uint32_t>(timeline.spans.size()));
    timeline.spans.insert(timeline.spans.end(), spans->begin(), spans->end());
  }
  timeline.first_span.push_back(static_cast<std::uint32_t>(timeline.spans.size()));
  return step;
}
