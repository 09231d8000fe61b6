#include "sim/place/cost.hpp"

#include <algorithm>
#include <map>
#include <tuple>
#include <utility>

#include "base/check.hpp"

namespace sim::place {

namespace {

std::size_t at(int i) { return static_cast<std::size_t>(i); }

/// Rounding of sums of products.
constexpr double rounding = 1e-9;

/// Seconds for a byte where there is no way out: more than any step.
constexpr double no_way = 1e12;

}  // namespace

bool Cost::better_than(const Cost& other) const {
  if (step < other.step * (1 - rounding)) return true;
  return step <= other.step * (1 + rounding) && crossing < other.crossing * (1 - rounding);
}

// Ground ---------------------------------------------------------------------------------------

Ground::Ground(const StepDemand& demand, const topology::Cluster& cluster,
               const topology::NetworkTree& tree, std::vector<Site> sites,
               const std::vector<double>& background)
    : demand_(demand), tree_(tree), sites_(std::move(sites)) {
  for (std::size_t domain = 0; domain < tree.domains.size(); ++domain) {
    const double up = tree.domains[domain].up.byte();
    const double taken = background.empty() ? 0 : background[domain];
    per_byte_.push_back(up > 0 ? 1 / std::max(up - taken, up / 2) : no_way);
  }
  per_byte_[0] = 0;  // nothing leaves the root
  for (const Site& site : sites_) {
    shared_accelerators_ = shared_accelerators_ || site.accelerator >= 0;
    const topology::NodeType& type = *cluster.nodes()[at(site.nodes.front())].type;
    const double rate = type.nic_rate.byte() * type.nics * type.nic_efficiency;
    node_per_byte_ = std::max(node_per_byte_, rate > 0 ? 1 / rate : no_way);
  }
  peers_.resize(at(demand.slots));
  for (int d = 0; d < demands(); ++d) {
    const int first_row = rows();
    demand_of_row_.insert(demand_of_row_.end(), at(demand.demands[at(d)].parts), d);
    for (const Edge& edge : demand.demands[at(d)].edges) {
      peers_[at(edge.from)].push_back({first_row + edge.part, edge.to, edge.bytes, true});
      peers_[at(edge.to)].push_back({first_row + edge.part, edge.from, edge.bytes, false});
    }
  }
}

double Ground::seconds_per_byte(int d, int domain) const {
  return per_byte_[at(domain)] * (tree_.rails ? demand_.demands[at(d)].skew : 1);
}

double Ground::node_seconds_per_byte(int d) const {
  return node_per_byte_ * demand_.demands[at(d)].skew;
}

double Ground::step_with(const std::vector<double>& busy_of_row) const {
  double step = demand_.step;
  for (int d = 0, row = 0; d < demands(); ++d) {
    const Demand& demand = demand_.demands[at(d)];
    double most = 0;
    double sum = 0;
    for (int part = 0; part < demand.parts; ++part, ++row) {
      const double growth =
          demand.alone > 0 ? demand.growth_at(busy_of_row[at(row)] / demand.alone) : 0;
      most = std::max(most, growth);
      sum += growth;
    }
    step += demand.chained ? sum / demand.parts : most;
  }
  return step;
}

std::vector<Site> sites_of(const std::vector<int>& free, const topology::Cluster& cluster,
                           const topology::NetworkTree& tree, const std::vector<int>& slice_of) {
  std::map<int, int> accelerator_size;
  for (const topology::NodeInfo& node : cluster.nodes())
    ++accelerator_size[node.accelerator_domain];
  std::map<std::tuple<int, int, int>, std::size_t> index;
  std::vector<Site> sites;
  for (const int node : free) {
    const int domain = cluster.nodes()[at(node)].accelerator_domain;
    const int accelerator = accelerator_size[domain] > 1 ? domain : -1;
    const int slice = slice_of.empty() ? -1 : slice_of[at(node)];
    const int home = tree.home[at(node)];
    const auto [found, fresh] = index.try_emplace({home, accelerator, slice}, sites.size());
    if (fresh) sites.push_back({home, accelerator, slice, {}});
    sites[found->second].nodes.push_back(node);
  }
  return sites;
}

// Loads ----------------------------------------------------------------------------------------

Loads::Loads(const Ground& ground)
    : ground_(&ground),
      site_(at(ground.slots()), -1),
      out_(at(ground.rows()) * ground.tree().domains.size(), 0),
      in_(out_) {
  for (const Site& site : ground.sites()) left_.push_back(static_cast<int>(site.nodes.size()));
  if (!ground.shared_accelerators()) return;
  node_out_.assign(at(ground.rows()) * at(ground.slots()), 0);
  node_in_ = node_out_;
}

void Loads::put(int slot, int site) {
  CHECK_INVARIANT(site_[at(slot)] < 0);
  site_[at(slot)] = site;
  --left_[at(site)];
  for (const Ground::Peer& peer : ground_->peers(slot)) add(peer, slot, 1);
}

void Loads::take(int slot) {
  for (const Ground::Peer& peer : ground_->peers(slot)) add(peer, slot, -1);
  ++left_[at(site_[at(slot)])];
  site_[at(slot)] = -1;
}

/// Bytes leave every domain of the sender that the receiver is not in, and enter every domain of
/// the receiver that the sender is not in.
void Loads::add(const Ground::Peer& peer, int slot, double sign) {
  const int other = site_[at(peer.slot)];
  if (other < 0) return;
  const Site& here = ground_->sites()[at(site_[at(slot)])];
  const Site& there = ground_->sites()[at(other)];
  if (here.accelerator >= 0 && here.accelerator == there.accelerator) return;
  const double bytes = sign * peer.bytes;
  const std::size_t row = at(peer.row) * ground_->tree().domains.size();
  if (!node_out_.empty()) {
    const std::size_t nodes = at(peer.row) * at(ground_->slots());
    node_out_[nodes + at(peer.outgoing ? slot : peer.slot)] += bytes;
    node_in_[nodes + at(peer.outgoing ? peer.slot : slot)] += bytes;
  }
  const std::vector<topology::NetworkDomain>& domains = ground_->tree().domains;
  int from = peer.outgoing ? here.home : there.home;
  int to = peer.outgoing ? there.home : here.home;
  while (from != to) {
    const int from_depth = domains[at(from)].depth;
    const int to_depth = domains[at(to)].depth;
    if (from_depth >= to_depth) {
      out_[row + at(from)] += bytes;
      from = domains[at(from)].parent;
    }
    if (to_depth >= from_depth) {
      in_[row + at(to)] += bytes;
      to = domains[at(to)].parent;
    }
  }
}

double Loads::bytes(int d, int domain) const {
  double out = 0;
  double in = 0;
  for (int row = 0; row < ground_->rows(); ++row) {
    if (ground_->demand_of_row(row) != d) continue;
    const std::size_t i = at(row) * ground_->tree().domains.size() + at(domain);
    out += out_[i];
    in += in_[i];
  }
  return std::max(out, in);
}

/// Seconds of the busiest of the ways that a row uses. `out` and `in` are the bytes of all who
/// share them, from `first` on.
double Loads::busiest(int row, const std::vector<double>& out, const std::vector<double>& in,
                      std::size_t first) const {
  const int d = ground_->demand_of_row(row);
  const std::size_t domains = ground_->tree().domains.size();
  const std::size_t own = at(row) * domains;
  double busy = 0;
  for (std::size_t domain = 0; domain < domains; ++domain) {
    const double bytes = std::max(out_[own + domain] > 0 ? out[first + domain] : 0,
                                  in_[own + domain] > 0 ? in[first + domain] : 0);
    if (bytes > 0)
      busy = std::max(busy, bytes * ground_->seconds_per_byte(d, static_cast<int>(domain)));
  }
  if (node_out_.empty()) return busy;
  const std::size_t nodes = at(row) * at(ground_->slots());
  for (std::size_t i = nodes; i < nodes + at(ground_->slots()); ++i)
    busy = std::max(busy, std::max(node_out_[i], node_in_[i]) * ground_->node_seconds_per_byte(d));
  return busy;
}

std::vector<double> Loads::busy_of_rows() const {
  std::vector<double> busy;
  const std::size_t domains = ground_->tree().domains.size();
  std::vector<double> out(domains);
  std::vector<double> in(domains);
  for (int d = 0, first = 0; d < ground_->demands(); ++d) {
    const Demand& demand = ground_->demand().demands[at(d)];
    if (demand.chained) {
      std::fill(out.begin(), out.end(), 0);
      std::fill(in.begin(), in.end(), 0);
      for (std::size_t i = 0; i < at(demand.parts) * domains; ++i) {
        out[i % domains] += out_[at(first) * domains + i];
        in[i % domains] += in_[at(first) * domains + i];
      }
    }
    for (int row = first; row < first + demand.parts; ++row)
      busy.push_back(demand.chained ? busiest(row, out, in, 0)
                                    : busiest(row, out_, in_, at(row) * domains));
    first += demand.parts;
  }
  return busy;
}

Cost Loads::cost() const {
  Cost cost;
  cost.step = ground_->step_with(busy_of_rows());
  const std::size_t domains = ground_->tree().domains.size();
  for (int row = 0; row < ground_->rows(); ++row) {
    const int d = ground_->demand_of_row(row);
    for (std::size_t domain = 0; domain < domains; ++domain) {
      const std::size_t i = at(row) * domains + domain;
      cost.crossing += (out_[i] + in_[i]) * ground_->seconds_per_byte(d, static_cast<int>(domain));
    }
    if (node_out_.empty()) continue;
    for (std::size_t slot = 0; slot < at(ground_->slots()); ++slot)
      cost.crossing +=
          node_out_[at(row) * at(ground_->slots()) + slot] * ground_->node_seconds_per_byte(d);
  }
  return cost;
}

}  // namespace sim::place
