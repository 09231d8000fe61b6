// Steps of pipelines: what is sent, what is held, and what two cells that run at once hide.

#include <algorithm>
#include <map>
#include <string>

#include "sim/analytic.hpp"
#include "sim/cell_work.hpp"
#include "tests/sim/small_step.hpp"
#include "tests/support/catch.hpp"

namespace sim {
namespace {

using strategies::ScheduleKind;
using strategies::Work;

strategies::Plan pipeline_of(ScheduleKind schedule, int stages, int micro_batches) {
  strategies::Plan plan = plan_with(1, stages, 1, micro_batches);
  plan.schedule = schedule;
  if (schedule == ScheduleKind::interleaved) plan.virtual_stages = 2;
  return plan;
}

/// How many messages of each name a stage sends, and their bytes together.
struct Sent {
  int count = 0;
  std::int64_t bytes = 0;
};
std::map<std::string, Sent> sent_by(const StepGraph& graph, int stage) {
  std::map<std::string, Sent> all;
  for (const Task& task : graph.programs[static_cast<std::size_t>(stage)].tasks) {
    if (task.kind != TaskKind::send) continue;
    const Message& message = graph.messages[task.index];
    Sent& sent = all[message.name];
    ++sent.count;
    sent.bytes += message.bytes.count();
  }
  return all;
}

std::int64_t most_activations(const Program& program) {
  std::int64_t now = 0;
  std::int64_t most = 0;
  for (const MemoryEvent& event : program.memory)
    if (event.part == MemoryPart::activations &&
        program.memory_names[event.what] != "while a backward runs")
      most = std::max(most, now += event.delta_bytes);
  return most;
}

TEST_CASE("messages go where the layout has the next virtual stage, but not to the rank itself") {
  const int m = 8;
  const auto activations = [&](ScheduleKind schedule, int stage) {
    return sent_by(build(gpt(8), pipeline_of(schedule, 4, m)).graph, stage)["activation"].count;
  };
  CHECK(activations(ScheduleKind::one_f_one_b, 0) == m);
  CHECK(activations(ScheduleKind::one_f_one_b, 3) == 0);  // the head is here
  // Interleaved twice: stage 3 sends its first chunk's results to stage 0.
  CHECK(activations(ScheduleKind::interleaved, 0) == 2 * m);
  CHECK(activations(ScheduleKind::interleaved, 3) == m);
  // A V: stage 0 sends down only, stage 3 keeps what turns round and sends up.
  CHECK(activations(ScheduleKind::zb_v, 0) == m);
  CHECK(activations(ScheduleKind::zb_v, 1) == 2 * m);
  CHECK(activations(ScheduleKind::zb_v, 3) == m);
  // Two directions of half of the micro-batches each.
  CHECK(activations(ScheduleKind::dualpipe, 0) == m / 2);
  CHECK(activations(ScheduleKind::dualpipe, 1) == m);
}

TEST_CASE("ranks with the same parameters add up their gradients") {
  strategies::ModelSpec model = gpt(8);
  model.tied_embeddings = true;
  const std::string tied = "gradient of the tied embedding";
  const std::int64_t table = model.vocab * model.hidden;
  const auto sent = [&](ScheduleKind schedule, int stage, int tensor = 1) {
    strategies::Plan plan = pipeline_of(schedule, 4, 8);
    plan.tensor = tensor;
    return sent_by(build(model, plan).graph, stage);
  };
  // The table in fp32, on the first stage and the last.
  CHECK(sent(ScheduleKind::one_f_one_b, 0)[tied].bytes == 4 * table);
  CHECK(sent(ScheduleKind::one_f_one_b, 1).count(tied) == 0);
  CHECK(sent(ScheduleKind::one_f_one_b, 3)[tied].bytes == 4 * table);
  CHECK(sent(ScheduleKind::one_f_one_b, 0, 2)[tied].bytes == 4 * table / 2);
  // One rank of a V has both ends; DualPipe adds up the two copies of everything.
  for (int stage = 0; stage < 4; ++stage) CHECK(sent(ScheduleKind::zb_v, stage).count(tied) == 0);
  const auto copy = sent(ScheduleKind::dualpipe, 0);
  CHECK(copy.count(tied) == 0);
  // Two of eight layers at each end, with the table, the positions and the last norm.
  const std::int64_t all = strategies::count_parameters(model).total();
  const std::int64_t inner =
      sent(ScheduleKind::dualpipe, 1).at("gradients of the other copy").bytes;
  CHECK(copy.at("gradients of the other copy").bytes == 4 * all - inner);
}

TEST_CASE("two copies of the model take twice the memory of one") {
  const auto weights = [](ScheduleKind schedule) {
    std::int64_t sum = 0;
    for (const Program& program : build(gpt(8), pipeline_of(schedule, 4, 8)).graph.programs)
      sum += held_bytes(program, MemoryPart::weights).count();
    return sum;
  };
  CHECK(weights(ScheduleKind::dualpipe) == 2 * weights(ScheduleKind::one_f_one_b));
  CHECK(weights(ScheduleKind::dualpipe_v) == weights(ScheduleKind::one_f_one_b));
}

TEST_CASE("activations go with the input gradient, but for what the weight gradient needs") {
  const Built plain = build(gpt(8), pipeline_of(ScheduleKind::one_f_one_b, 4, 8));
  const Built split = build(gpt(8), pipeline_of(ScheduleKind::zb_h1, 4, 8));
  const Built twice = build(gpt(8), pipeline_of(ScheduleKind::zb_h2, 4, 8));
  const auto most = [](const Built& built, std::size_t stage) {
    return most_activations(built.graph.programs[stage]);
  };
  // Stage 0 of ZB-H1 puts nothing off and holds 4 micro-batches as 1F1B does; between its two
  // gradients a micro-batch may hold more than before them. ZB-H2 holds 7.
  const std::int64_t micro_batch = most(plain, 0) / 4;
  CHECK(most(plain, 0) == 4 * micro_batch);
  CHECK(most(split, 0) >= most(plain, 0));
  CHECK(most(split, 0) < 5 * micro_batch);
  CHECK(most(twice, 0) >= 7 * micro_batch);
  CHECK(most(twice, 0) < 8 * micro_batch);
  // Stage 2 of 1F1B holds 2. ZB-H1 holds them too, and of 2 more what their weights need.
  const std::int64_t inner = most(plain, 1) / 3;  // without the embedding's
  CHECK(most(plain, 2) == 2 * inner);
  CHECK(most(split, 2) > 2 * inner);
  std::int64_t kept = 0;
  const strategies::ShardedGraph sharded =
      strategies::shard(gpt(8), pipeline_of(ScheduleKind::zb_h1, 4, 8));
  for (int layer = 4; layer < 6; ++layer)
    kept +=
        sharded
            .blocks[static_cast<std::size_t>(sharded.layer_block[static_cast<std::size_t>(layer)])]
            .kept_for_weight.count();
  CHECK(most(split, 2) <= 2 * inner + 3 * kept);
}

TEST_CASE("weight gradients that are put off shorten the step") {
  // All kernels take 1 ms; the stages are nearly equal.
  const auto step = [](ScheduleKind schedule) {
    const Built built = build(gpt(16), pipeline_of(schedule, 8, 16));
    return analyse(built.graph, built.cluster, built.gpus).step.s();
  };
  CHECK(step(ScheduleKind::zb_h1) < step(ScheduleKind::one_f_one_b));
  CHECK(step(ScheduleKind::zb_h2) < step(ScheduleKind::zb_h1));
}

TEST_CASE("of cells that run at once each hides its communication behind the other's kernels") {
  const base::Kernel kernel = base::MemoryBound{base::Bytes::from_mib(1), 1};
  const strategies::Communication reduce{base::Collective::all_reduce, strategies::Axis::tensor,
                                         base::Bytes::from_mib(1)};
  const auto compute = [&](const char* label) {
    return Work{label, strategies::WorkPhase::forward, {kernel}, {}};
  };
  const auto talk = [&](const char* label) {
    return Work{label, strategies::WorkPhase::forward, {}, reduce};
  };
  const Work both{"both", strategies::WorkPhase::backward, {kernel}, reduce};
  const auto text = [](const std::vector<Work>& works) {
    std::string all;
    for (const Work& work : works)
      all += fmt::format("{}[{}{}] ", work.label, work.kernels.size(),
                         work.communication ? " & message" : "");
    return all;
  };
  // Two messages of the forward share three kernels of the backward: 1 and 2 of them. The message
  // of the backward has both kernels of the forward.
  CHECK(text(overlapped({compute("f1"), talk("m1"), compute("f2"), talk("m2")},
                        {compute("b1"), compute("b2"), both, talk("m3"), compute("b3")})) ==
        "f1, m3[2 & message] b1, m1[1 & message] b2, m2[1 & message] both[1 & message] b3[1] ");
  // A message that finds no kernel stands alone, and nothing is lost.
  CHECK(text(overlapped({talk("m1"), talk("m2")}, {compute("b1")})) ==
        "b1, m1[1 & message] m2[0 & message] ");
  CHECK(text(overlapped({compute("f1")}, {compute("b1")})) == "f1[1] b1[1] ");
  const std::vector<Work> joined = overlapped({compute("f1"), compute("f2")}, {talk("m1")});
  REQUIRE(joined.size() == 1);
  CHECK(joined[0].operators == 2);  // the host still launches two kernels
}

TEST_CASE("DualPipe hides its tensor-parallel communication") {
  strategies::Plan plan = pipeline_of(ScheduleKind::dualpipe, 4, 8);
  plan.tensor = 2;
  const Built built = build(gpt(8), plan);
  // Of a pair the segment takes less than its kernels and collectives together.
  int pairs = 0;
  for (const Task& task : built.graph.programs[0].tasks) {
    if (task.beside < 0) continue;
    ++pairs;
    const Segment& segment = built.graph.segments[task.index];
    int hidden = 0;
    int bare = 0;
    for (const Piece& piece : segment.pieces)
      if (piece.collective >= 0) ++(piece.compute > base::Seconds{} ? hidden : bare);
    CHECK(hidden > 0);
    CHECK(bare <= 3);  // the loss, whose three small ones come at the end
  }
  CHECK(pairs > 0);
}

}  // namespace
}  // namespace sim
