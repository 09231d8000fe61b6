#include "sim/engine/network.hpp"

#include <algorithm>
#include <limits>

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
  transfer.path = path;
  transfer.bytes = bytes;
  transfer.rate = rate;
  transfer.begin = now_;
  transfer.tag = tag;
  ++transfer.generation;
  transfer.shared = transfer.waiting = false;
  Path& along = paths_[path];
  transfer.aware.assign(along.links.size(), false);
  ++counts_.transfers;
  counts_.flows += along.flows;
  along.bytes += bytes;
  bytes_sent_ += bytes * along.flows;

  for (std::size_t i = 0; i < along.links.size(); ++i) {
    Link& link = links_[along.links[i].link];
    const bool was_busy = busy(link);
    ++link.present;
    link.demand += rate * along.links[i].flows;
    if (!busy(link)) {
      link.unaware.push_back(id);
      continue;
    }
    if (!was_busy) become_busy(along.links[i].link);
    transfer.aware[i] = true;
    await(id);
  }
  if (!transfer.waiting)
    agenda_.push({now_ + bytes / rate, 0, sequence_++, end_tag(id, transfer.generation)});
}

void Network::become_busy(std::uint32_t link) {
  std::vector<std::uint32_t>& unaware = links_[link].unaware;
  std::erase_if(unaware, [&](std::uint32_t id) {
    Transfer& transfer = transfers_[id];
    // One that ends at this instant has only to be taken off the agenda.
    if (!transfer.shared && !transfer.waiting &&
        transfer.begin + transfer.bytes / transfer.rate <= now_)
      return false;
    const std::vector<LinkUse>& path = paths_[transfer.path].links;
    const auto use = std::lower_bound(
        path.begin(), path.end(), link,
        [](const LinkUse& one, std::uint32_t wanted) { return one.link < wanted; });
    transfer.aware[static_cast<std::size_t>(use - path.begin())] = true;
    await(id);
    return true;
  });
}

void Network::await(std::uint32_t id) {
  Transfer& transfer = transfers_[id];
  if (transfer.waiting) return;
  transfer.waiting = true;
  waiting_.push_back(id);
}

/// At the end of an instant, so that what starts together is handed over once.
void Network::admit_waiting() {
  for (const std::uint32_t id : waiting_) admit(id);
  waiting_.clear();
}

void Network::admit(std::uint32_t id) {
  Transfer& transfer = transfers_[id];
  const Path& path = paths_[transfer.path];
  double left = transfer.bytes - transfer.rate * (now_ - transfer.begin);
  if (transfer.shared) {
    left = solver_.stop(id);
  } else {
    ++counts_.shared_transfers;
    counts_.shared_flows += path.flows;
  }
  transfer.shared = true;
  transfer.waiting = false;
  ++transfer.generation;  // an entry in the agenda is void
  minded_.clear();
  for (std::size_t i = 0; i < path.links.size(); ++i)
    if (transfer.aware[i]) minded_.push_back(path.links[i]);
  solver_.start(id, minded_, left, transfer.rate);
}

void Network::leave(std::uint32_t id) {
  Transfer& transfer = transfers_[id];
  const std::vector<LinkUse>& path = paths_[transfer.path].links;
  for (std::size_t i = 0; i < path.size(); ++i) {
    Link& link = links_[path[i].link];
    if (!transfer.aware[i]) std::erase(link.unaware, id);
    // An idle link is exactly idle, so that rounding does not add up over a long step.
    link.demand = --link.present == 0 ? 0 : link.demand - transfer.rate * path[i].flows;
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

/// How far the agenda may be worked off. While SimGrid has nothing to do its clock may lag behind
/// ours; else no entry later than its clock may be touched, for a shared transfer could end before.
double Network::agenda_limit() const {
  if (!waiting_.empty()) return now_;
  return solver_.active() > 0 ? clock_ : std::numeric_limits<double>::infinity();
}

void Network::work_off_agenda() {
  while (!agenda_.empty() && agenda_.top().time <= agenda_limit()) {
    const Entry entry = agenda_.top();
    agenda_.pop();
    now_ = std::max(now_, entry.time);
    if (entry.rank == 1) {
      ++counts_.appointments;
      handler_.due(entry.tag);
      continue;
    }
    const auto id = static_cast<std::uint32_t>(entry.tag);
    const auto generation = static_cast<std::uint32_t>(entry.tag >> 32);
    if (transfers_[id].generation == generation && !transfers_[id].waiting) leave(id);
  }
  if (!waiting_.empty() && clock_ >= now_) admit_waiting();
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
    if (!waiting_.empty() && clock > now_) now_ = clock;
    work_off_agenda();
  };
  const auto ended = [this](std::uint32_t id, double clock) {
    clock_ = clock;
    now_ = std::max(now_, clock);
    leave(id);
    work_off_agenda();
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
