#include "sim/engine/network.hpp"

#include <algorithm>

#include "base/check.hpp"

namespace sim::engine {

namespace {

/// Rounding of sums of rates may not turn a link that is exactly full into a busy one.
constexpr double calm_slack = 1 + 1e-6;

Tag end_tag(std::uint32_t id, std::uint32_t generation) {
  return (static_cast<Tag>(generation) << 32) | id;
}

}  // namespace

Network::Network(std::vector<double> link_rate, bool everything_shared)
    : solver_(link_rate), everything_shared_(everything_shared) {
  links_.resize(link_rate.size());
  for (std::size_t i = 0; i < link_rate.size(); ++i) links_[i].rate = link_rate[i];
}

PathId Network::add_path(std::vector<std::uint32_t> crossings, std::uint32_t flows) {
  std::sort(crossings.begin(), crossings.end());
  Path path{{}, flows, 0};
  for (const std::uint32_t link : crossings) {
    CHECK_INVARIANT(link < links_.size());
    if (path.links.empty() || path.links.back().link != link) path.links.push_back({link, 0});
    ++path.links.back().flows;
  }
  CHECK_INVARIANT(!path.links.empty());
  path.links.shrink_to_fit();
  paths_.push_back(std::move(path));
  return static_cast<PathId>(paths_.size() - 1);
}

bool Network::busy(const Link& link) const {
  return everything_shared_ || link.demand > link.rate * calm_slack;
}

void Network::start(PathId path, double bytes, double rate, Tag tag) {
  CHECK_INVARIANT(bytes > 0 && rate > 0);
  if (free_.empty()) {
    free_.push_back(static_cast<std::uint32_t>(transfers_.size()));
    transfers_.emplace_back();
  }
  const std::uint32_t id = free_.back();
  free_.pop_back();
  Transfer& transfer = transfers_[id];
  transfer = {path, bytes, rate, now_, tag, transfer.generation + 1, false};
  Path& along = paths_[path];
  ++counts_.transfers;
  counts_.flows += along.flows;
  along.bytes += bytes;
  bytes_sent_ += bytes * along.flows;

  bool crowded = false;
  for (const LinkUse& use : along.links) {
    Link& link = links_[use.link];
    ++link.present;
    link.demand += rate * use.flows;
    if (!busy(link)) continue;
    crowded = true;
    share_those_on(link);
  }
  if (crowded) {
    share(id);
    return;
  }
  for (const LinkUse& use : along.links) links_[use.link].alone.push_back(id);
  agenda_.push({now_ + bytes / rate, 0, sequence_++, end_tag(id, transfer.generation)});
}

void Network::share_those_on(Link& link) {
  // Those that end at this instant have only to be taken off the agenda; they stay.
  std::vector<std::uint32_t> moving;
  for (const std::uint32_t id : link.alone) {
    const Transfer& transfer = transfers_[id];
    if (transfer.begin + transfer.bytes / transfer.rate > now_) moving.push_back(id);
  }
  for (const std::uint32_t id : moving) {
    Transfer& transfer = transfers_[id];
    for (const LinkUse& use : paths_[transfer.path].links) std::erase(links_[use.link].alone, id);
    ++transfer.generation;  // its entry in the agenda is void
    share(id);
  }
}

void Network::share(std::uint32_t id) {
  Transfer& transfer = transfers_[id];
  transfer.shared = true;
  ++counts_.shared_transfers;
  counts_.shared_flows += paths_[transfer.path].flows;
  waiting_.push_back(id);
  if (clock_ >= now_)
    admit_waiting();
  else
    wake(now_);
}

void Network::admit_waiting() {
  for (const std::uint32_t id : waiting_) {
    const Transfer& transfer = transfers_[id];
    const double left = transfer.bytes - transfer.rate * (now_ - transfer.begin);
    solver_.start(id, paths_[transfer.path].links, left, transfer.rate);
  }
  waiting_.clear();
}

void Network::leave(std::uint32_t id) {
  Transfer& transfer = transfers_[id];
  for (const LinkUse& use : paths_[transfer.path].links) {
    Link& link = links_[use.link];
    if (!transfer.shared) std::erase(link.alone, id);
    // An idle link is exactly idle, so that rounding does not add up over a long step.
    link.demand = --link.present == 0 ? 0 : link.demand - transfer.rate * use.flows;
  }
  bytes_arrived_ += transfer.bytes * paths_[transfer.path].flows;
  const Tag tag = transfer.tag;
  free_.push_back(id);
  handler_.arrived(tag);
}

void Network::wake(double date) {
  if (!armed_.empty() && armed_.top() <= date) return;  // then it is asked for again
  armed_.push(date);
  solver_.wake_at(date);
}

/// Works off the agenda. While SimGrid has nothing to do its clock may lag behind ours; as soon as
/// it has, no entry later than its clock may be touched, for a shared transfer could end before it.
void Network::work_until_shared(double clock) {
  while (!agenda_.empty()) {
    const Entry entry = agenda_.top();
    const bool sharing = solver_.active() > 0 || !waiting_.empty();
    if (sharing && entry.time > clock) break;
    agenda_.pop();
    now_ = std::max(now_, entry.time);
    if (entry.rank == 1) {
      ++counts_.appointments;
      handler_.due(entry.tag);
      continue;
    }
    const auto id = static_cast<std::uint32_t>(entry.tag);
    if (transfers_[id].generation == static_cast<std::uint32_t>(entry.tag >> 32)) leave(id);
  }
  if (!waiting_.empty())
    wake(now_);
  else if (!agenda_.empty())
    wake(agenda_.top().time);
}

void Network::run(Handler handler) {
  handler_ = std::move(handler);
  const auto woken = [this](double clock) {
    clock_ = clock;
    while (!armed_.empty() && armed_.top() <= clock) armed_.pop();
    if (!waiting_.empty() && clock >= now_) {
      now_ = clock;
      admit_waiting();
    }
    work_until_shared(clock);
  };
  const auto ended = [this](std::uint32_t id, double clock) {
    clock_ = clock;
    now_ = std::max(now_, clock);
    leave(id);
    work_until_shared(clock);
  };
  wake(0);
  solver_.run({woken, ended});
  CHECK_INVARIANT(agenda_.empty() && waiting_.empty() && solver_.active() == 0);
}

std::vector<double> Network::link_bytes() const {
  std::vector<double> bytes(links_.size(), 0.0);
  for (const Path& path : paths_)
    for (const LinkUse& use : path.links) bytes[use.link] += path.bytes * use.flows;
  return bytes;
}

}  // namespace sim::engine
