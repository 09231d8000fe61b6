#include "sim/optimizer_step.hpp"

#include <fmt/format.h>

#include <utility>

#include "sim/step_memory.hpp"

namespace sim {

namespace {

using base::Bytes;
using base::Collective;
using strategies::Axis;
using strategies::AxisSet;
using strategies::Plan;

/// torch.profiler on foreach and for-loop optimizers: 5 to 10 us from one launch to the next.
constexpr double launch_us = 8;

UpdateLink kernels(std::string name, std::vector<base::Kernel> all, int launches) {
  UpdateLink link;
  link.name = std::move(name);
  link.kernels = std::move(all);
  link.launches = launches;
  return link;
}

UpdateLink scalar_all_reduce(const char* name, AxisSet axes) {
  UpdateLink link;
  link.kind = UpdateLink::Kind::collective;
  link.name = name;
  link.collective = {
      Stream::model_comm, name, {Collective::all_reduce, axes, Bytes::from_count(4)}};
  return link;
}

/// Ranks that hold different gradients.
AxisSet different_gradients(const Plan& plan) {
  AxisSet axes = Axis::tensor | Axis::pipeline;
  if (plan.expert.own_axis) axes = axes | Axis::expert;
  if (plan.zero >= 1 || plan.expert.degree > 1) axes = axes | plan.shard_axes();
  return axes;
}

void add_checks(const Plan& plan, const Stage& stage, std::vector<UpdateLink>& links) {
  const base::DType produced = plan.precision.gradients;
  const base::DType type = plan.optimizer.gradient_type(plan.precision);
  const Bytes gradients = tensor_bytes(stage.updated_parameters(), type);
  if (type != produced)
    links.push_back(kernels(
        "copy gradients",
        {base::MemoryBound{gradients + tensor_bytes(stage.updated_parameters(), produced), 1}}, 1));
  const AxisSet axes = different_gradients(plan);
  const bool alone = plan.grid().extent(axes) == 1;
  if (plan.precision.parameters == base::DType::fp16) {
    links.push_back(kernels("unscale gradients", {base::MemoryBound{gradients * 2, 1}}, 1));
    if (!alone) links.push_back(scalar_all_reduce("all-reduce overflow", axes));
  }
  if (!plan.clip_gradients) return;
  links.push_back(kernels("gradient norm", {base::MemoryBound{gradients, 1}}, 1));
  if (!alone) links.push_back(scalar_all_reduce("all-reduce gradient norm", axes));
  links.push_back(kernels("clip gradients", {base::MemoryBound{gradients * 2, 1}}, 1));
}

/// ZeRO-Offload (arXiv 2101.06840): gradients have gone to the host already, or go now where no
/// other rank has the same parameters; updated parameters come back.
void add_host_update(const Plan& plan, const Stage& stage, std::vector<UpdateLink>& links) {
  const auto copy = [&](const char* name, Stream stream, CommKind purpose, base::DType type) {
    UpdateLink link;
    link.kind = UpdateLink::Kind::copy;
    link.name = name;
    link.stream = stream;
    link.purpose = purpose;
    link.bytes = tensor_bytes(stage.updated_parameters(), type);
    links.push_back(std::move(link));
  };
  if (!stage.copies())
    copy("copy gradients out", Stream::device_to_host, CommKind::data, plan.precision.gradients);
  UpdateLink update;
  update.kind = UpdateLink::Kind::host;
  update.name = "adam on the host";
  update.parameters = stage.updated_parameters();
  links.push_back(std::move(update));
  if (plan.offload.optimizer)
    copy("copy parameters in", Stream::host_to_device, CommKind::parameter,
         plan.precision.parameters);
}

void add_exchange(const char* name, const ParameterClass& its, Bytes bytes,
                  std::vector<UpdateLink>& links) {
  UpdateLink link;
  link.kind = UpdateLink::Kind::collective;
  link.name = name;
  link.purpose = CommKind::data;
  link.collective = {its.shard_stream, name, {Collective::all_to_all, its.shard, bytes}};
  links.push_back(std::move(link));
}

void add_update(const Plan& plan, const Stage& stage, std::vector<UpdateLink>& links) {
  const std::string name(strategies::name_of(plan.optimizer.kind));
  UpdateLink all = kernels(name, {}, 0);
  for (const ParameterClass& its : stage.classes()) {
    strategies::OptimizerWork work = stage.optimizer_work(its);
    UpdateLink* update = &all;
    UpdateLink own;
    if (work.before.count() > 0)
      links.push_back(
          kernels(fmt::format("{} momentum", name), {base::MemoryBound{work.before, 1}}, 1));
    if (work.exchanged.count() > 0) {
      add_exchange("all-to-all matrices to their roots", its, work.exchanged, links);
      own = kernels(fmt::format("{} matrices", name), {}, 0);
      update = &own;
    }
    update->kernels.insert(update->kernels.end(), work.kernels.begin(), work.kernels.end());
    update->launches += work.launches;
    update->temporary += work.temporary;
    if (work.exchanged.count() == 0) continue;
    // The last kernel is the pass that applies the updates.
    all.kernels.push_back(own.kernels.back());
    own.kernels.pop_back();
    links.push_back(std::move(own));
    add_exchange("all-to-all updates to their shards", its, work.exchanged, links);
  }
  links.push_back(std::move(all));
}

}  // namespace

std::vector<UpdateLink> update_links(const Plan& plan, const Stage& stage) {
  std::vector<UpdateLink> links;
  if (plan.execution.step_dispatch > base::Seconds{}) {
    links.push_back(kernels("between steps", {}, 0));
    links.back().dispatch = plan.execution.step_dispatch;
  }
  add_checks(plan, stage, links);
  if (stage.updates_on_host())
    add_host_update(plan, stage, links);
  else
    add_update(plan, stage, links);
  return links;
}

base::Seconds launch_time(const UpdateLink& link) {
  return base::Seconds::from_us(launch_us) * link.launches + link.dispatch;
}

}  // namespace sim
