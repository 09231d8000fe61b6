#include "sim/report.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <tuple>

#include "base/check.hpp"
#include "base/quantity.hpp"

namespace sim {

namespace {

using base::Bytes;
using base::Seconds;

/// Width of the central 80 % of a normal distribution on each side, in standard deviations.
constexpr double p90_deviations = 1.2815515655446004;

struct SourceTime {
  double seconds = 0;
  double weighted_spread = 0;  // seconds x relative spread
};

/// Seconds by source: what collectives lost to kernels beside them, of an average rank.
std::vector<double> held_up_by_source(const StepGraph& graph, const Timeline& timeline) {
  std::vector<double> seconds(graph.sources.size(), 0);
  if (std::none_of(graph.collectives.begin(), graph.collectives.end(),
                   [](const CollectiveUse& use) { return use.is_held_up(); }))
    return seconds;
  const int ranks = graph.grid.size();
  for (int rank = 0; rank < ranks; ++rank) {
    const auto lose = [&](const calibrate::CollectiveCost& cost, double lost) {
      const int source = cost.lost_to_memory > cost.lost_to_products ? cost.lost_to_memory_source
                                                                     : cost.lost_to_products_source;
      if (source >= 0) seconds[static_cast<std::size_t>(source)] += lost / ranks;
    };
    const Program& program = graph.programs[graph.program_of_rank[static_cast<std::size_t>(rank)]];
    for (std::uint32_t task = 0; task < program.tasks.size(); ++task) {
      const std::uint32_t index = program.tasks[task].index;
      if (program.tasks[task].kind == TaskKind::collective)
        lose(graph.cost_of(graph.collectives[index], rank), timeline.span(rank, task).slowed);
      if (program.tasks[task].kind != TaskKind::run) continue;
      for (const Piece& piece : graph.segments[index].pieces) {
        if (piece.collective < 0) continue;
        const calibrate::CollectiveCost& cost =
            graph.cost_of(graph.collectives[static_cast<std::size_t>(piece.collective)], rank);
        lose(cost, cost.held_up.s());
      }
    }
  }
  return seconds;
}

/// Time of one average rank by source of its durations: kernels as they ran, collectives as they
/// were exposed, at their isolated cost's spread, and what kernels lost to collectives beside them,
/// and these to kernels, where it is known from measurements.
std::vector<SourceTime> source_times(const StepGraph& graph, const Breakdown& breakdown,
                                     const std::vector<double>& held_up) {
  std::vector<SourceTime> times(graph.sources.size());
  const auto add = [&](int source, double seconds, double spread) {
    SourceTime& time = times[static_cast<std::size_t>(source)];
    time.seconds += seconds;
    time.weighted_spread += seconds * spread;
  };
  std::vector<double> ranks_of(graph.programs.size(), 0);
  for (const std::uint16_t program : graph.program_of_rank) ranks_of[program] += 1;
  SourceTime wire;
  SourceTime taken;  // from kernels beside collectives: seconds x share
  std::vector<double> taken_seconds(graph.sources.size(), 0);
  const auto take = [&](const calibrate::CollectiveCost& cost, double rank_share) {
    const bool from_memory = cost.memory_share > cost.sm_share;
    const int source = from_memory ? cost.memory_share_source : cost.sm_share_source;
    const double seconds =
        rank_share * cost.wire_time() * std::max(cost.sm_share, cost.memory_share);
    taken.seconds += seconds;
    taken.weighted_spread += seconds * cost.total.spread;
    if (source >= 0) taken_seconds[static_cast<std::size_t>(source)] += seconds;
  };
  std::vector<double> wire_seconds(graph.sources.size(), 0);
  for (std::size_t p = 0; p < graph.programs.size(); ++p) {
    const double share = ranks_of[p] / static_cast<double>(graph.program_of_rank.size());
    for (const Task& task : graph.programs[p].tasks) {
      const auto communication = [&](const calibrate::Duration& total) {
        wire.seconds += share * total.time.s();
        wire.weighted_spread += share * total.time.s() * total.spread;
        wire_seconds[static_cast<std::size_t>(total.source)] += share * total.time.s();
      };
      const auto collective = [&](const calibrate::CollectiveCost& cost) {
        communication(cost.total);
        const double lost = share * cost.held_up.s();  // counted as what it lost
        wire.seconds -= lost;
        wire.weighted_spread -= lost * cost.total.spread;
        wire_seconds[static_cast<std::size_t>(cost.total.source)] -= lost;
      };
      if (task.kind == TaskKind::collective) {
        const calibrate::CollectiveCost& cost = graph.collectives[task.index].cost.front();
        collective(cost);
        take(cost, share);
      }
      if (task.kind == TaskKind::copy) communication(graph.copies[task.index].cost);
      if (task.kind != TaskKind::run) continue;
      for (const Piece& piece : graph.segments[task.index].pieces) {
        if (piece.compute > Seconds{})
          add(piece.source, share * piece.compute.s(), static_cast<double>(piece.spread));
        if (piece.collective >= 0)
          collective(graph.collectives[static_cast<std::size_t>(piece.collective)].cost.front());
      }
    }
  }
  // What it lost is as sure as the rest of it.
  const double spread = wire.seconds > 0 ? wire.weighted_spread / wire.seconds : 0;
  for (std::size_t s = 0; s < times.size(); ++s) {
    wire.seconds += held_up[s];
    wire.weighted_spread += held_up[s] * spread;
    wire_seconds[s] += held_up[s];
  }
  // Communication counts by what of it was exposed; hidden communication moves nothing.
  const Seconds exposed = breakdown.exposed();
  if (wire.seconds > 0)
    for (std::size_t s = 0; s < times.size(); ++s)
      add(static_cast<int>(s), exposed.s() * wire_seconds[s] / wire.seconds,
          wire.weighted_spread / wire.seconds);
  if (taken.seconds > 0)
    for (std::size_t s = 0; s < times.size(); ++s)
      add(static_cast<int>(s), breakdown.slowed.s() * taken_seconds[s] / taken.seconds,
          taken.weighted_spread / taken.seconds);
  return times;
}

void estimate_interval(const ReportInput& input, Report& report) {
  const std::vector<double> held_up = held_up_by_source(input.graph, input.timeline);
  report.held_up = base::Seconds::from_s(std::accumulate(held_up.begin(), held_up.end(), 0.0));
  const std::vector<SourceTime> times = source_times(input.graph, report.breakdown, held_up);
  double busy = 0;
  for (const SourceTime& time : times) busy += time.seconds;
  if (busy <= 0) {
    report.step_p10 = report.step_p90 = report.step;
    return;
  }
  // One source errs in one direction; different sources err independently. Waiting stretches with
  // the busy time that causes it, so the relative spread of the busy time is that of the step.
  double variance = 0;
  for (std::size_t s = 0; s < times.size(); ++s) {
    if (times[s].seconds <= 0) continue;
    variance += std::pow(times[s].weighted_spread / busy, 2);
    report.sources.push_back({input.graph.sources[s], times[s].seconds / busy,
                              times[s].weighted_spread / times[s].seconds});
  }
  std::stable_sort(report.sources.begin(), report.sources.end(),
                   [](const SourceShare& a, const SourceShare& b) { return a.share > b.share; });
  const double factor = std::exp(p90_deviations * std::sqrt(variance));
  report.step_p10 = report.step / factor;
  report.step_p90 = report.step * factor;
}

/// A symmetric plan loads whole tiers alike: such links are said once, under the name of the first.
/// `order` is busiest first.
std::vector<LinkLoad> fold_links(const std::vector<topology::LinkId>& order,
                                 const ReportInput& input, const Report& report) {
  constexpr std::size_t shown = 10;
  constexpr double equal = 1e-3;  // of the step: no finer than a table shows
  using Tier = std::tuple<topology::DeviceKind, topology::DeviceKind, double>;
  std::vector<Tier> tiers;
  std::vector<LinkLoad> links;
  for (const topology::LinkId id : order) {
    const topology::Link& link = input.cluster.link(id);
    const topology::Device& from = input.cluster.device(link.from);
    const topology::Device& to = input.cluster.device(link.to);
    const Tier tier{from.kind, to.kind, link.rate.byte()};
    const double use = report.link_utilisation[id];
    std::size_t i = 0;
    const double lost = input.timeline.link_lost_s[id];
    while (i < links.size() && (tiers[i] != tier || std::abs(links[i].utilisation - use) >= equal ||
                                std::abs(links[i].lost.s() - lost) >= equal * report.step.s()))
      ++i;
    if (i < links.size()) {
      links[i].alike += 1;
    } else if (links.size() == shown) {
      break;
    } else {
      tiers.push_back(tier);
      links.push_back({fmt::format("{} -> {}", from.name, to.name),
                       Bytes::from_double(input.timeline.link_bytes[id]), link.rate, use,
                       input.timeline.link_busy_s[id] / report.step.s(), Seconds::from_s(lost), 1});
    }
  }
  return links;
}

/// A link that cost less than this share of the step does not bind.
constexpr double binds = 1e-3;

std::string find_binding_link(const Report& report) {
  if (report.links.empty() || report.links.front().lost.s() < binds * report.step.s()) return {};
  const LinkLoad& link = report.links.front();
  const std::string alike =
      link.alike > 1 ? fmt::format(" (and {} alike)", link.alike - 1) : std::string();
  return fmt::format(
      "{}{} of {} binds: asked for more than that during {:.1f} % of the step; a wider one would "
      "save its transfers {}",
      link.name, alike, base::format_gbyte(link.rate), 100 * link.busy,
      base::format_seconds(link.lost));
}

void load_links(const ReportInput& input, Report& report) {
  const std::vector<double>& bytes = input.timeline.link_bytes;
  report.link_utilisation.assign(bytes.size(), 0);
  std::vector<topology::LinkId> order;
  for (topology::LinkId id = 0; id < bytes.size(); ++id) {
    if (bytes[id] <= 0) continue;
    report.link_utilisation[id] =
        bytes[id] / (input.cluster.link(id).rate.byte() * report.step.s());
    order.push_back(id);
  }
  std::sort(order.begin(), order.end(), [&](topology::LinkId a, topology::LinkId b) {
    const std::vector<double>& lost = input.timeline.link_lost_s;
    const std::vector<double>& use = report.link_utilisation;
    return std::tuple(-lost[a], -use[a], a) < std::tuple(-lost[b], -use[b], b);
  });
  report.links = fold_links(order, input, report);
  report.binding_link = find_binding_link(report);
}

/// What collectives on streams of their own take from the kernels beside them.
void find_shares(const StepGraph& graph, Report& report) {
  if (report.breakdown.slowed <= Seconds{}) return;
  for (const Program& program : graph.programs)
    for (const Task& task : program.tasks) {
      if (task.kind != TaskKind::collective) continue;
      for (const calibrate::CollectiveCost& cost : graph.collectives[task.index].cost) {
        report.sm_share = std::max(report.sm_share, cost.sm_share);
        report.memory_share = std::max(report.memory_share, cost.memory_share);
      }
    }
}

struct NamedPart {
  Seconds time;
  std::string_view what;
};

std::string find_bottleneck(const Report& report) {
  const Breakdown& b = report.breakdown;
  const NamedPart parts[] = {
      {b.forward + b.backward + b.recompute, "kernels: a faster GPU or less recompute would help"},
      {b.tensor_exposed, "tensor-parallel collectives: lower tensor_parallel or faster scale-up"},
      {b.context_exposed, "context-parallel exchanges: lower context_parallel, or gather less"},
      {b.expert_exposed, "tokens on their way to experts: keep expert_parallel inside a node"},
      {b.data_exposed, "gradient reduction: overlap it, or more micro-batches per step"},
      {b.parameter_exposed, "parameter gathering: prefetch, larger micro-batch, or HSDP"},
      {b.pipeline_exposed, "pipeline messages on the wire: overlap them"},
      {b.bubble, "the pipeline bubble and waiting for peers: more micro-batches or interleaving"},
      {b.optimizer, "the optimizer: shard it with ZeRO"},
      {b.host, "the host's launches: CUDA graphs, larger micro-batches, or fused kernels"},
      {b.allocator, "an allocator that has too little memory: a smaller micro_batch, or recompute"},
      {b.slowed, "kernels slowed by collectives beside them: fewer channels, or less overlap"},
  };
  const NamedPart& largest =
      *std::max_element(std::begin(parts), std::end(parts),
                        [](const NamedPart& x, const NamedPart& y) { return x.time < y.time; });
  // Kernels always take most of a healthy step; what a plan can change is the rest.
  const NamedPart& rest =
      *std::max_element(std::begin(parts) + 1, std::end(parts),
                        [](const NamedPart& x, const NamedPart& y) { return x.time < y.time; });
  const auto share = [&](const NamedPart& part) { return 100 * (part.time / report.step); };
  if (largest.what != parts[0].what || share(rest) < 5)
    return fmt::format("{:.0f} % of the step is {}", share(largest), largest.what);
  return fmt::format("after kernels ({:.0f} %), {:.0f} % of the step is {}", share(parts[0]),
                     share(rest), rest.what);
}

}  // namespace

std::string_view name_of(Fidelity fidelity) {
  switch (fidelity) {
    case Fidelity::analytic: return "analytic";
    case Fidelity::hybrid: return "hybrid";
    case Fidelity::flow: return "flow";
  }
  return "?";
}

Report summarise(const ReportInput& input) {
  const topology::GpuSpec& gpu = input.cluster.gpu_spec(input.gpu_of_rank.front());
  const int ranks = input.graph.grid.size();
  Report report;
  report.scenario = input.scenario;
  report.fidelity = input.fidelity;
  report.ranks = ranks;
  report.ranks_played = input.timeline.actors;
  report.model = input.model;
  report.cluster = input.cluster_text;
  report.plan = input.plan_text;
  report.step = input.timeline.step;
  report.lower_bound = input.lower_bound;
  report.tokens = input.tokens;
  report.tokens_per_s = static_cast<double>(input.tokens) / report.step.s();
  report.tokens_per_s_per_gpu = report.tokens_per_s / ranks;
  report.model_tflops_per_gpu = (input.model_flop / report.step).tflops() / ranks;
  const double peak = gpu.peak.at(input.compute_dtype).tflops();
  report.mfu = report.model_tflops_per_gpu / peak;
  report.hfu = (input.hardware_flop / report.step).tflops() / ranks / peak;
  report.breakdown = break_down(input.graph, input.timeline);
  report.critical_path =
      parts_of(critical_path(input.graph, input.timeline), input.graph, input.timeline);
  std::vector<Bytes> memory_of_rank;
  for (const topology::GpuId id : input.gpu_of_rank)
    memory_of_rank.push_back(input.cluster.gpu_spec(id).memory);
  report.memory = follow_memory(input.graph, input.timeline, memory_of_rank);
  report.measured = input.measured;
  report.diagnostics = input.diagnostics;
  estimate_interval(input, report);
  load_links(input, report);
  find_shares(input.graph, report);
  report.bottleneck = find_bottleneck(report);
  return report;
}

}  // namespace sim
