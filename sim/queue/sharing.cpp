#include "sim/queue/sharing.hpp"

#include <algorithm>
#include <cmath>
#include <map>
#include <utility>

#include "base/check.hpp"

namespace sim::queue {

namespace {

std::size_t at(int i) { return static_cast<std::size_t>(i); }

/// Steps that differ by less are equal: the iteration stops, and no event is moved for it.
constexpr double equal = 1e-6;
constexpr int rounds_max = 64;

}  // namespace

Sharing::Sharing(const Tree& tree) : tree_(&tree) {
  for (std::size_t level = 0; level < tree.levels.size(); ++level) {
    first_link_.push_back(static_cast<std::uint32_t>(links_.size()));
    const Tree::Level& here = tree.levels[level];
    for (int domain = 0; domain < static_cast<int>(here.domains.size()); ++domain)
      for (const bool out : {true, false})
        links_.push_back({level, domain, out, here.uplink[at(domain)], 0, 0, 0});
  }
}

double Sharing::own_sigma(const Job& job) const {
  double sigma = 1;
  for (const Load& load : job.loads) sigma = std::max(sigma, load.share);
  return sigma;
}

void Sharing::set_sigma(Job& job, double sigma) {
  job.sigma = sigma;
  job.step = job.profile->step_at(sigma);
  job.active = std::min(1.0, job.profile->wire * sigma / job.step);
}

void Sharing::add(JobId id, const Profile& profile, std::span<const int> nodes, bool partly) {
  if (jobs_.size() <= id) jobs_.resize(id + 1);
  Job& job = jobs_[id];
  job = {};
  job.profile = &profile;
  std::map<std::uint32_t, double> bytes;
  const std::size_t levels = tree_->levels.size() - (partly ? 0 : 1);
  for (const place::Demand& demand : profile.demand.demands)
    for (const place::Edge& edge : demand.edges) {
      const std::size_t from = at(nodes[at(edge.from)]);
      const std::size_t to = at(nodes[at(edge.to)]);
      for (std::size_t level = 0; level < levels; ++level) {
        const std::vector<int>& domain = tree_->levels[level].of_node;
        if (domain[from] == domain[to]) continue;
        bytes[first_link_[level] + 2 * static_cast<std::uint32_t>(domain[from])] += edge.bytes;
        bytes[first_link_[level] + 2 * static_cast<std::uint32_t>(domain[to]) + 1] += edge.bytes;
      }
    }
  for (const auto& [link, amount] : bytes) {
    CHECK_INVARIANT(links_[link].rate > 0 && profile.wire > 0);
    job.loads.push_back({link, amount / (links_[link].rate * profile.wire)});
    ++links_[link].users;
  }
  set_sigma(job, own_sigma(job));
  job.lone_step = job.step;
  if (job.loads.empty()) {
    calm_.push_back(id);
  } else {
    job.step = 0;  // so that `settle` tells of it
    sending_.push_back(id);
  }
}

void Sharing::remove(JobId id) {
  Job& job = jobs_[id];
  for (const Load& load : job.loads) {
    --links_[load.link].users;
    links_[load.link].demand = links_[load.link].asked = 0;  // until `settle`
  }
  if (!job.loads.empty()) sending_.erase(std::find(sending_.begin(), sending_.end(), id));
  job = {};
}

std::vector<Sharing::JobId> Sharing::settle() {
  std::vector<JobId> changed = std::exchange(calm_, {});
  std::vector<double> before;
  for (const JobId id : sending_) before.push_back(jobs_[id].step);
  for (const JobId id : sending_) set_sigma(jobs_[id], own_sigma(jobs_[id]));
  // Shares only grow from here on, and none beyond 1: this comes to an end.
  for (int round = 0; round < rounds_max; ++round) {
    for (const JobId id : sending_)
      for (const Load& load : jobs_[id].loads)
        links_[load.link].demand = links_[load.link].asked = 0;
    for (const JobId id : sending_)
      for (const Load& load : jobs_[id].loads)
        links_[load.link].demand += load.share * jobs_[id].active;
    bool moved = false;
    for (const JobId id : sending_) {
      Job& job = jobs_[id];
      double sigma = job.sigma;
      for (const Load& load : job.loads) {
        Link& link = links_[load.link];
        const double asked = link.demand + load.share * (1 - job.active);
        link.asked = std::max(link.asked, asked);
        sigma = std::max(sigma, asked);
      }
      moved = moved || sigma > job.sigma * (1 + equal);
      set_sigma(job, sigma);
    }
    if (!moved) break;
  }
  for (std::size_t i = 0; i < sending_.size(); ++i)
    if (std::abs(jobs_[sending_[i]].step - before[i]) > equal * before[i])
      changed.push_back(sending_[i]);
  return changed;
}

std::vector<double> Sharing::background() const {
  std::vector<double> bytes(tree_->network.domains.size(), 0);
  std::vector<double> of_link(links_.size(), 0);
  for (const JobId id : sending_) {
    const Job& job = jobs_[id];
    for (const Load& load : job.loads)
      of_link[load.link] += load.share * links_[load.link].rate * job.profile->wire / job.step;
  }
  for (std::size_t link = 0; link < links_.size(); ++link) {
    const std::vector<int>& network = tree_->levels[links_[link].level].network;
    const int domain = network.empty() ? -1 : network[at(links_[link].domain)];
    if (domain >= 0) bytes[at(domain)] = std::max(bytes[at(domain)], of_link[link]);
  }
  return bytes;
}

std::vector<std::uint32_t> Sharing::links_of(JobId job) const {
  std::vector<std::uint32_t> links;
  for (const Load& load : jobs_[job].loads) links.push_back(load.link);
  return links;
}

}  // namespace sim::queue
