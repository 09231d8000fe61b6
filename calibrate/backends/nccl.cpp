#include "calibrate/backends/nccl.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <functional>
#include <limits>
#include <mutex>
#include <shared_mutex>
#include <unordered_map>
#include <utility>

#include "base/check.hpp"
#include "calibrate/nccl/channels.hpp"
#include "calibrate/nccl/machine.hpp"
#include "calibrate/nccl/measured_ramp.hpp"
#include "calibrate/nccl/overrides.hpp"

namespace calibrate {

namespace {

using base::BytesPerSecond;
using base::Seconds;

// NCCL's corrections change at powers of two, from 64 bytes to the last of the table.
constexpr int first_power = 6;
constexpr int last_power = first_power + static_cast<int>(nccl::tree_corrections_max);

/// A choice and the size that it was made for.
struct Priced {
  nccl::Choice choice;
  double bytes = 0;
};

/// One operation of one communicator, ready to be asked.
struct Prices {
  nccl::Table table;
  bool obeys = true;
  double least_us = 0;  ///< of nothing
  /// Cheapest of the powers of two from this one on.
  std::array<Priced, last_power - first_power + 1> from;
};

Prices prices_of(const nccl::Communicator& communicator, Collective op,
                 const nccl::Selection& selection) {
  Prices prices;
  prices.table = nccl::make_table(communicator, op, selection);
  if (!std::isfinite(nccl::choose(communicator, op, prices.table, 1).time_us)) {
    prices.obeys = false;
    prices.table = nccl::make_table(communicator, op);
  }
  Priced best;
  best.choice.time_us = std::numeric_limits<double>::infinity();
  for (int power = last_power; power >= first_power; --power) {
    const double bytes = std::ldexp(1.0, power);
    const nccl::Choice choice = nccl::choose(communicator, op, prices.table, bytes);
    if (choice.time_us <= best.choice.time_us) best = {choice, bytes};
    prices.from.at(static_cast<std::size_t>(power - first_power)) = best;
  }
  prices.least_us =
      std::min(best.choice.time_us, nccl::choose(communicator, op, prices.table, 0).time_us);
  return prices;
}

// Within a power of two time grows with size; only a larger power can be cheaper.
Priced price(const nccl::Communicator& communicator, Collective op, const Prices& prices,
             double bytes) {
  const Priced own{nccl::choose(communicator, op, prices.table, bytes), bytes};
  const int next = bytes < 1 ? first_power : std::max(std::ilogb(bytes) + 1, first_power);
  if (next > last_power) return own;
  const Priced& larger = prices.from.at(static_cast<std::size_t>(next - first_power));
  return larger.choice.time_us < own.choice.time_us ? larger : own;
}

struct Cached {
  nccl::Communicator communicator;
  std::array<Prices, 5> prices;
};

constexpr std::array<Collective, 5> priced_by_table{Collective::all_reduce, Collective::all_gather,
                                                    Collective::reduce_scatter,
                                                    Collective::broadcast, Collective::reduce};

std::size_t table_index(Collective op) {
  const auto* found = std::find(priced_by_table.begin(), priced_by_table.end(), op);
  CHECK_INVARIANT(found != priced_by_table.end());
  return static_cast<std::size_t>(found - priced_by_table.begin());
}

struct GroupHash {
  std::size_t operator()(const nccl::Group& group) const {
    std::size_t hash = 0;
    const auto mix = [&](auto value) {
      hash ^= std::hash<decltype(value)>()(value) + 0x9e3779b9U + (hash << 6U) + (hash >> 2U);
    };
    mix(group.paths.ranks);
    mix(group.paths.nodes);
    mix(group.paths.ranks_per_node);
    mix(group.machine.nics);
    mix(group.machine.scale_up_gbyte);
    mix(group.machine.nic_rate_mbit);
    return hash;
  }
};

// Of the model alone, where no fit serves: two thirds of the published sweeps of A100, H100 and
// H200 from 16 MiB on lie within these of it, as measured on those sweeps themselves; below 16 MiB
// half of them are off by more than 40 %. It knows neither contention, nor how a network falls
// behind its line rate, nor the start of small messages. Messages between pairs suffer most:
// Slingshot carries half of an all-to-all's line rate.
double spread_of(Collective op, const GroupShape& shape) {
  if (shape.nodes == 1) return 0.16;
  return nccl::has_table(op) ? 0.27 : 0.5;
}

class Backend final : public CollectiveBackend {
 public:
  Backend(nccl::Version version, nccl::Overrides overrides,
          std::optional<topology::NcclGraphs> graphs, bool own_choice, nccl::Ramps ramps)
      : version_(version),
        overrides_(std::move(overrides)),
        graphs_(std::move(graphs)),
        own_choice_(own_choice),
        ramps_(std::move(ramps)) {}

  std::string_view name() const override { return "nccl"; }

  std::string description() const override {
    return fmt::format("NCCL {} tuning model{}", nccl::name_of(version_),
                       graphs_ ? " on imported graphs" : "");
  }

  std::vector<std::string> sources() const override {
    if (ramps_.all.empty()) return {description()};
    int points = 0;
    for (const nccl::Ramp& ramp : ramps_.all) points += ramp.points;
    return {description(),
            fmt::format("{}, fitted to published sweeps ({} points)", description(), points)};
  }

  bool chooses_freely() const override { return own_choice_; }

  /// The model is NCCL's; how far it is off was measured, see spread_of.
  bool calibrated() const override { return true; }

  bool supports(Collective /*op*/) const override { return true; }

  bool obeys(Collective op, const GroupShape& shape) const override {
    if (shape.ranks == 1 || !nccl::has_table(op)) return true;
    return cached(nccl::group_of(shape)).prices.at(table_index(op)).obeys;
  }

  CollectiveCost cost(Collective op, base::Bytes bytes, const GroupShape& shape) const override {
    CHECK_INVARIANT(supports(op) && bytes.count() >= 0);
    if (shape.ranks == 1) return {};
    const nccl::Group group = nccl::group_of(shape);
    const Cached& known = cached(group);
    CollectiveCost cost;
    if (op == Collective::barrier) {
      // NCCL has none; frameworks reduce one word.
      constexpr double word = 4;
      cost = table_cost(known, Collective::all_reduce, word);
      cost.latency = cost.total.time;
    } else if (nccl::has_table(op)) {
      cost = table_cost(known, op, bytes.as_double());
    } else {
      cost = message_cost(known, group.paths, op, bytes.as_double());
    }
    if (nccl::rooted(op) && !ramps_.all.empty()) {
      const Seconds chain = Seconds::from_us(nccl::chain_us(known.communicator, cost.protocol));
      cost.latency += chain;
      cost.total.time += chain;
    }
    cost.total.spread = spread_of(op, shape);
    cost.total.evidence = Evidence::model;
    if (const nccl::Ramp* ramp = ramps_.find(op, shape))
      apply(*ramp, own_choice_ && nccl::covers(*ramp, op, shape),
            base::one_way(op) ? shape.nodes : 1, least_of(known, group.paths, op),
            wire_bound(op, bytes, shape), cost);
    return cost;
  }

 private:
  static BytesPerSecond wire_rate(Collective op, int ranks, double bytes, double us) {
    return BytesPerSecond::from_byte(bytes * base::bus_factor(op, ranks) / (us * 1e-6));
  }

  /// The model's time of nothing.
  static Seconds least_of(const Cached& known, const nccl::Paths& paths, Collective op) {
    if (op == Collective::barrier) op = Collective::all_reduce;
    return Seconds::from_us(nccl::has_table(op)
                                ? known.prices.at(table_index(op)).least_us
                                : nccl::p2p_cost(known.communicator, paths, op, 0).time_us);
  }

  /// What the links of a GPU take for its part of the bytes.
  static Seconds wire_bound(Collective op, base::Bytes bytes, const GroupShape& shape) {
    if (shape.nodes > 1 || op == Collective::barrier) return {};
    return bytes / shape.scale_up_rate * base::bus_factor(op, shape.ranks);
  }

  /// `nodes` that a ring goes round, 1 where there is none. A share above 1 stops at the bound,
  /// unless the model is beyond it itself (NVLS).
  static void apply(const nccl::Ramp& ramp, bool covered, int nodes, Seconds least, Seconds bound,
                    CollectiveCost& cost) {
    const Seconds model = std::max(cost.total.time, least);
    const Seconds time = std::max(ramp.time(model, least, nodes), std::min(model, bound));
    cost.stretch_to(time);
    const double spread = ramp.spread(model, least, nodes);
    cost.total.spread = covered ? spread : std::max(spread, cost.total.spread);
    if (!covered) return;
    cost.total.evidence = Evidence::fitted;
    cost.total.source = 1;
  }

  static CollectiveCost table_cost(const Cached& known, Collective op, double bytes) {
    const nccl::Communicator& c = known.communicator;
    const Prices& prices = known.prices.at(table_index(op));
    const Priced priced = price(c, op, prices, bytes);
    const nccl::Choice& choice = priced.choice;
    CollectiveCost cost;
    cost.algorithm = choice.algorithm;
    cost.protocol = choice.protocol;
    cost.channels = nccl::blocks_of(c, choice.algorithm, choice.protocol, priced.bytes).channels;
    cost.latency = Seconds::from_us(choice.latency_us);
    cost.total.time = Seconds::from_us(choice.time_us);
    if (bytes > 0) {
      cost.bus_rate = wire_rate(op, c.ranks, bytes, choice.time_us - choice.latency_us);
    } else {
      const nccl::Estimate& row =
          prices.table.at(nccl::index_of(choice.algorithm)).at(nccl::index_of(choice.protocol));
      cost.bus_rate =
          BytesPerSecond::from_gbyte(row.bandwidth_gbyte * base::bus_factor(op, c.ranks));
    }
    return cost;
  }

  static CollectiveCost message_cost(const Cached& known, const nccl::Paths& paths, Collective op,
                                     double bytes) {
    constexpr double large = 1 << 30;  // its rate stands for that of nothing
    const nccl::P2pCost price = nccl::p2p_cost(known.communicator, paths, op, bytes);
    CollectiveCost cost;
    cost.algorithm = CollectiveAlgorithm::direct;
    cost.protocol = price.protocol;
    cost.channels = price.channels;
    cost.latency = Seconds::from_us(price.latency_us);
    cost.total.time = Seconds::from_us(price.time_us);
    const nccl::P2pCost& rated =
        bytes > 0 ? price : nccl::p2p_cost(known.communicator, paths, op, large);
    cost.bus_rate =
        wire_rate(op, paths.ranks, bytes > 0 ? bytes : large, rated.time_us - rated.latency_us);
    if (!(bytes > 0)) cost.latency = cost.total.time;
    return cost;
  }

  topology::NcclGraphs graphs_of(const nccl::Group& group) const {
    const bool imported = graphs_ && graphs_->gpus_per_node == group.machine.gpus_per_node &&
                          graphs_->across_nodes == (group.machine.nodes > 1);
    return imported ? *graphs_ : topology::nccl_graphs(group.machine);
  }

  /// Entries stay where they are, so that one may be used while others are added.
  const Cached& cached(const nccl::Group& group) const {
    {
      const std::shared_lock lock(mutex_);
      const auto found = cache_.find(group);
      if (found != cache_.end()) return found->second;
    }
    Cached made;
    made.communicator = nccl::communicator_of(group, graphs_of(group), version_);
    for (std::size_t i = 0; i < priced_by_table.size(); ++i)
      made.prices.at(i) =
          prices_of(made.communicator, priced_by_table.at(i), overrides_.of(priced_by_table.at(i)));
    const std::unique_lock lock(mutex_);
    return cache_.emplace(group, made).first->second;
  }

  nccl::Version version_;
  nccl::Overrides overrides_;
  std::optional<topology::NcclGraphs> graphs_;
  bool own_choice_;  ///< of algorithm and protocol, as in the published sweeps
  nccl::Ramps ramps_;
  mutable std::shared_mutex mutex_;
  mutable std::unordered_map<nccl::Group, Cached, GroupHash> cache_;
};

}  // namespace

base::Result<std::unique_ptr<CollectiveBackend>> make_nccl_backend(const NcclOptions& options) {
  const base::Result<nccl::Version> version = nccl::version_of(options.version);
  const base::Result<nccl::Overrides> overrides =
      nccl::read_overrides(options.algorithms, options.protocols);
  const base::Result<nccl::Ramps> ramps =
      options.hardware_folder.empty() ? nccl::Ramps{} : nccl::load_ramps(options.hardware_folder);
  base::Diagnostics problems;
  if (!version) problems.insert(problems.end(), version.error().begin(), version.error().end());
  if (!ramps) problems.insert(problems.end(), ramps.error().begin(), ramps.error().end());
  if (!overrides)
    problems.insert(problems.end(), overrides.error().begin(), overrides.error().end());
  if (base::has_errors(problems)) return tl::unexpected(std::move(problems));
  return std::make_unique<Backend>(*version, *overrides, options.graphs,
                                   options.algorithms.empty() && options.protocols.empty(), *ramps);
}

}  // namespace calibrate
