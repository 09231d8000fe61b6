#include "strategies/checkpoint_file/comparison.hpp"

#include <algorithm>
#include <array>
#include <map>
#include <set>
#include <utility>

#include "strategies/checkpoint_file/model_tensors.hpp"
#include "strategies/shard.hpp"

namespace strategies::checkpoint_file {

namespace {

/// What frameworks and wrappers put in front of a model's own names.
constexpr std::array<std::string_view, 8> prefixes{"",
                                                   "model.",
                                                   "module.",
                                                   "module.model.",
                                                   "state_dict.",
                                                   "model_state_dict.",
                                                   "transformer.",
                                                   "model.transformer."};

using ByName = std::map<std::string, const SavedTensor*, std::less<>>;

ByName behind(const Checkpoint& checkpoint, std::string_view prefix) {
  ByName tensors;
  for (const SavedTensor& tensor : checkpoint.tensors)
    if (tensor.role() == Role::model && tensor.name.starts_with(prefix))
      tensors.emplace(tensor.name.substr(prefix.size()), &tensor);
  return tensors;
}

Comparison compare_as(const ByName& saved, const std::vector<ModelTensor>& wanted) {
  Comparison result;
  std::set<std::string_view> names;
  for (const ModelTensor& tensor : wanted) {
    names.insert(tensor.name);
    const auto found = saved.find(tensor.name);
    if (found == saved.end()) {
      if (!tensor.optional) result.missing.push_back(tensor.name);
    } else if (found->second->shape != tensor.shape) {
      result.different.push_back({tensor.name, found->second->shape, tensor.shape});
    } else {
      ++result.matching;
    }
  }
  for (const auto& [name, tensor] : saved)
    if (!names.contains(name)) result.extra.push_back(name);
  return result;
}

/// Of model tensors, those that share their bytes once.
struct ModelTotals {
  std::int64_t elements = 0;
  base::Bytes bytes;
  base::Bytes largest;
};

ModelTotals model_totals(const Checkpoint& checkpoint) {
  std::set<std::pair<std::string_view, std::string_view>> seen;
  ModelTotals totals;
  for (const SavedTensor& tensor : checkpoint.tensors) {
    if (tensor.role() != Role::model) continue;
    if (!tensor.storage.empty() && !seen.emplace(tensor.file, tensor.storage).second) continue;
    totals.elements += tensor.elements();
    totals.bytes += tensor.bytes();
    totals.largest = std::max(totals.largest, tensor.bytes());
  }
  return totals;
}

}  // namespace

Comparison compare(const Checkpoint& checkpoint, const ModelSpec& model) {
  Comparison best;
  int most = 0;
  for (const std::string_view prefix : prefixes) {
    const ByName saved = behind(checkpoint, prefix);
    if (saved.empty()) continue;
    for (const Naming& naming : namings()) {
      if (!naming.fits(model)) continue;
      Comparison one = compare_as(saved, naming.tensors(model));
      const int named = one.matching + static_cast<int>(one.different.size());
      if (named <= most) continue;
      most = named;
      best = std::move(one);
      best.naming = naming.name;
      best.prefix = prefix;
    }
  }
  best.saved = model_totals(checkpoint).elements;
  best.wanted = count_parameters(model).total();
  return best;
}

RankShare share_of_rank(const Checkpoint& checkpoint, const ModelSpec& model, const Plan& plan) {
  RankShare share;
  const ShardedGraph graph = shard(model, plan);
  const RankGrid grid = plan.grid();
  const bool fully_sharded = plan.zero == 3;
  const int shards = fully_sharded ? grid.extent(plan.shard_axes()) : 1;
  const int expert_shards = fully_sharded ? grid.extent(Axis::expert_shard) : 1;
  for (const std::vector<Chunk>& chunks : cut_layers(plan, model)) {
    std::int64_t parameters = 0;
    std::int64_t of_experts = 0;
    const auto add = [&](int block) {
      parameters += graph.blocks[static_cast<std::size_t>(block)].parameters;
      of_experts += graph.blocks[static_cast<std::size_t>(block)].expert_parameters;
    };
    for (const Chunk& chunk : chunks) {
      if (chunk.embedding) add(graph.embedding_block);
      for (int layer = chunk.first_layer; layer < chunk.end_layer; ++layer)
        add(graph.layer_block[static_cast<std::size_t>(layer)]);
      if (chunk.head) add(graph.head_block);
    }
    share.parameters = std::max(share.parameters, parameters + of_experts);
    share.kept = std::max(
        share.kept, base::ceil_div(parameters, shards) + base::ceil_div(of_experts, expert_shards));
  }
  const ModelTotals totals = model_totals(checkpoint);
  share.whole = totals.bytes;
  share.largest_tensor = totals.largest;
  for (const SavedFile& file : checkpoint.files)
    share.largest_file = std::max(share.largest_file, file.size);
  if (totals.elements > 0)
    share.read =
        base::Bytes::from_double(totals.bytes.as_double() / static_cast<double>(totals.elements) *
                                 static_cast<double>(share.kept));
  return share;
}

}  // namespace strategies::checkpoint_file
