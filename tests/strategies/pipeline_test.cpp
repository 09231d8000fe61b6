#include <fmt/format.h>

#include <numeric>

#include "strategies/plan.hpp"
#include "strategies/shard.hpp"
#include "tests/support/catch.hpp"

namespace strategies {
namespace {

ModelSpec model_of(int layers) {
  ModelSpec model;
  model.name = "small";
  model.hidden = 256;
  model.ffn = 1024;
  model.heads = model.kv_heads = 4;
  model.head_dim = 64;
  model.vocab = 1000;
  model.positions = 128;
  model.layers.resize(static_cast<std::size_t>(layers));
  return model;
}

Plan plan_of(ScheduleKind schedule, int stages) {
  Plan plan;
  plan.schedule = schedule;
  plan.pipeline = stages;
  plan.data = 1;
  plan.global_batch = 32;
  plan.sequence = 128;
  return plan;
}

/// "0-2e 2-4 …": layers of each chunk of each stage, with the embedding and the head.
std::string cut(const Plan& plan, int layers) {
  std::string text;
  for (const std::vector<Chunk>& stage : cut_layers(plan, model_of(layers))) {
    if (!text.empty()) text += " | ";
    for (const Chunk& chunk : stage)
      text += fmt::format("{}{}-{}{}{}", &chunk == &stage.front() ? "" : " ", chunk.first_layer,
                          chunk.end_layer, chunk.embedding ? "e" : "", chunk.head ? "h" : "");
  }
  return text;
}

bool refused(Plan plan, int layers) {
  return base::has_errors(check_plan(plan, model_of(layers), plan.pipeline, {}));
}

TEST_CASE("a layout says which run of layers a chunk holds") {
  CHECK(cut(plan_of(ScheduleKind::one_f_one_b, 4), 8) == "0-2e | 2-4 | 4-6 | 6-8h");
  Plan interleaved = plan_of(ScheduleKind::interleaved, 2);
  interleaved.virtual_stages = 2;
  CHECK(cut(interleaved, 8) == "0-2e 4-6 | 2-4 6-8h");
  // Down the ranks and back up: the first holds both ends.
  CHECK(cut(plan_of(ScheduleKind::zb_v, 2), 8) == "0-2e 6-8h | 2-4 4-6");
  CHECK(cut(plan_of(ScheduleKind::dualpipe_v, 2), 8) == "0-2e 6-8h | 2-4 4-6");
  // Two copies, the second from the last rank to the first.
  CHECK(cut(plan_of(ScheduleKind::dualpipe, 4), 8) == "0-2e 6-8h | 2-4 4-6 | 4-6 2-4 | 6-8h 0-2e");
}

TEST_CASE("uneven stages: counts of each, of the ends, or the first ones longer") {
  Plan plan = plan_of(ScheduleKind::one_f_one_b, 4);
  CHECK(refused(plan, 10));
  plan.uneven = Uneven::first;  // 10 = 3 + 3 + 2 + 2
  CHECK_FALSE(refused(plan, 10));
  CHECK(cut(plan, 10) == "0-3e | 3-6 | 6-8 | 8-10h");
  // Six layers on eight stages: the seventh passes on, the last has the head.
  Plan longer = plan_of(ScheduleKind::one_f_one_b, 8);
  CHECK(refused(longer, 6));
  longer.uneven = Uneven::first;
  CHECK_FALSE(refused(longer, 6));
  CHECK(cut(longer, 6) == "0-1e | 1-2 | 2-3 | 3-4 | 4-5 | 5-6 | 6-6 | 6-6h");
  longer.zero = 3;
  CHECK(refused(longer, 6));
  plan.account_for_loss = true;  // 11 = 3 + 3 + 3 + 2, of which the last is the head
  CHECK(cut(plan, 10) == "0-3e | 3-6 | 6-9 | 9-10h");

  plan = plan_of(ScheduleKind::one_f_one_b, 4);
  plan.first_stage_layers = 1;  // 10 - 1 = 9 on three
  CHECK_FALSE(refused(plan, 10));
  CHECK(cut(plan, 10) == "0-1e | 1-4 | 4-7 | 7-10h");
  plan.last_stage_layers = 1;  // 8 on two
  CHECK_FALSE(refused(plan, 10));
  CHECK(cut(plan, 10) == "0-1e | 1-5 | 5-9 | 9-10h");
  plan.last_stage_layers = 0;  // the head alone
  plan.first_stage_layers = 2;
  CHECK_FALSE(refused(plan, 10));
  CHECK(cut(plan, 10) == "0-2e | 2-6 | 6-10 | 10-10h");

  // Megatron counts all layers of a rank, here two chunks each: ranks of 2, 4 and 4 layers.
  Plan interleaved = plan_of(ScheduleKind::interleaved, 3);
  interleaved.virtual_stages = 2;
  interleaved.global_batch = 33;
  interleaved.first_stage_layers = 2;
  CHECK_FALSE(refused(interleaved, 10));
  CHECK(cut(interleaved, 10) == "0-1e 5-6 | 1-3 6-8 | 3-5 8-10h");
  interleaved.first_stage_layers = 3;
  CHECK(refused(interleaved, 10));

  Plan given = plan_of(ScheduleKind::zb_v, 2);
  given.stage_layers = {1, 4, 3, 2};
  CHECK_FALSE(refused(given, 10));
  CHECK(cut(given, 10) == "0-1e 8-10h | 1-5 5-8");
}

TEST_CASE("the zero bubble paper's models have a layer less on the first and last stage") {
  // arXiv 2401.10241, table 3: 30 layers on 8 stages, also in 4 virtual stages each.
  for (const int chunks : {1, 4}) {
    Plan plan = plan_of(chunks == 1 ? ScheduleKind::zb_h1 : ScheduleKind::interleaved, 8);
    plan.virtual_stages = chunks;
    plan.account_for_embedding = plan.account_for_loss = true;
    CHECK_FALSE(refused(plan, 30));
    const auto stages = cut_layers(plan, model_of(30));
    std::vector<int> layers;
    for (const std::vector<Chunk>& stage : stages) {
      layers.push_back(0);
      for (const Chunk& chunk : stage) layers.back() += chunk.end_layer - chunk.first_layer;
    }
    CHECK(layers == std::vector<int>{3, 4, 4, 4, 4, 4, 4, 3});
  }
}

TEST_CASE("only where the ends lie apart has the head a copy of a tied embedding") {
  ModelSpec model = model_of(8);
  model.tied_embeddings = true;
  const auto head_parameters = [&](const Plan& plan) {
    const ShardedGraph graph = shard(model, plan);
    return graph.blocks[static_cast<std::size_t>(graph.head_block)].parameters;
  };
  const std::int64_t alone = head_parameters(plan_of(ScheduleKind::one_f_one_b, 1));
  const std::int64_t table = model.vocab * model.hidden;
  CHECK(head_parameters(plan_of(ScheduleKind::one_f_one_b, 2)) == alone + table);
  CHECK(head_parameters(plan_of(ScheduleKind::zb_v, 2)) == alone);
  CHECK(head_parameters(plan_of(ScheduleKind::dualpipe, 2)) == alone);
}

}  // namespace
}  // namespace strategies
