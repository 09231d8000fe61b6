#include "sim/engine/network.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "base/check.hpp"

namespace sim::engine {

namespace {

std::uint64_t bit(std::size_t i) { return std::uint64_t{1} << i; }

Tag end_tag(std::uint32_t id, std::uint32_t generation) {
  return (static_cast<Tag>(generation) << 32) | id;
}

}  // namespace

Network::Network(const std::vector<double>& link_rate, bool everything_shared)
    : solver_(link_rate), watched_(1), everything_shared_(everything_shared) {
  links_.resize(link_rate.size());
  for (std::size_t i = 0; i < link_rate.size(); ++i) links_[i].rate = link_rate[i];
}

PathId Network::add_path(std::vector<Hop> hops) {
  std::sort(hops.begin(), hops.end(), [](const Hop& a, const Hop& b) { return a.link < b.link; });
  CHECK_INVARIANT(!hops.empty() && hops.size() <= 64 && hops.back().link < links_.size());
  for (std::size_t i = 1; i < hops.size(); ++i) CHECK_INVARIANT(hops[i - 1].link != hops[i].link);
  hops.shrink_to_fit();
  paths_.push_back(std::move(hops));
  return static_cast<PathId>(paths_.size() - 1);
}

Client Network::join(Handler handler) {
  clients_.push_back({std::move(handler), {}});
  return static_cast<Client>(clients_.size() - 1);
}

void Network::watch(std::uint32_t link) {
  links_[link].watched = static_cast<std::uint32_t>(watched_.size());
  watched_.emplace_back();
  watched_.back().active.assign(clients_.size(), 0);
  watched_.back().present.assign(clients_.size(), 0);
}

bool Network::is_busy(const Link& link) const {
  return everything_shared_ ? !link.present.empty() : link.demand > link.rate * calm_slack;
}

/// Before the demand on a link changes: books the time since it last did.
void Network::account(Link& link) {
  if (link.demand > link.rate * calm_slack) {
    const double time = now_ - link.since;
    link.use.busy += time;
    link.use.lost += time * (1 - link.rate / link.demand);
  }
  link.since = now_;
  if (link.watched == 0) return;
  Watched& watched = watched_[link.watched];
  int here = 0;
  for (std::size_t client = 0; client < watched.present.size(); ++client) {
    if (watched.present[client] == 0) continue;
    watched.active[client] += now_ - watched.since;
    ++here;
  }
  if (here > 1) watched.together += now_ - watched.since;
  watched.since = now_;
}

void Network::start(PathId path, double bytes, double rate, Client client, Tag tag) {
  CHECK_INVARIANT(bytes > 0 && rate > 0);
  if (free_.empty()) {
    free_.push_back(static_cast<std::uint32_t>(transfers_.size()));
    transfers_.emplace_back();
  }
  const std::uint32_t id = free_.back();
  free_.pop_back();
  Transfer& transfer = transfers_[id];
  const std::uint32_t generation = transfer.generation + 1;
  transfer = {path, generation, client, tag, bytes, rate};
  ++clients_[client].counts.transfers;
  bytes_sent_ += bytes;
  for (const Hop& hop : paths_[path]) {
    Link& link = links_[hop.link];
    account(link);
    link.present.push_back(id);
    if (link.watched != 0) ++watched_[link.watched].present[client];
    link.demand += rate * hop.weight;
    if (link.busy) {
      ++transfer.busy_links;
    } else if (is_busy(link)) {
      link.busy = true;
      for (const std::uint32_t one : link.present) {
        ++transfers_[one].busy_links;
        await(one);
      }
    }
  }
  if (transfer.busy_links > 0) await(id);
  run_alone(id, bytes);  // void if it is still waiting at the end of this instant
}

void Network::leave(std::uint32_t id) {
  Transfer& transfer = transfers_[id];
  transfer.waiting = false;
  ++transfer.generation;
  for (const Hop& hop : paths_[transfer.path]) {
    Link& link = links_[hop.link];
    account(link);
    auto& present = link.present;
    *std::find(present.begin(), present.end(), id) = present.back();
    present.pop_back();
    if (link.watched != 0) --watched_[link.watched].present[transfer.client];
    // An idle link is exactly idle, so that rounding does not add up over a long step.
    link.demand = present.empty() ? 0 : link.demand - transfer.rate * hop.weight;
    if (!link.busy || is_busy(link)) continue;
    link.busy = false;
    for (const std::uint32_t one : present)
      if (--transfers_[one].busy_links == 0) await(one);
  }
  bytes_arrived_ += transfer.bytes;
  const Tag tag = transfer.tag;
  const Client client = transfer.client;
  free_.push_back(id);
  clients_[client].handler.arrived(tag);
}

void Network::run_alone(std::uint32_t id, double left) {
  Transfer& transfer = transfers_[id];
  transfer.shared = false;
  transfer.minded = 0;
  transfer.left = left;
  transfer.since = now_;
  agenda_.push({now_ + left / transfer.rate, 0, 0, sequence_++, end_tag(id, transfer.generation)});
}

void Network::await(std::uint32_t id) {
  Transfer& transfer = transfers_[id];
  if (transfer.waiting) return;
  transfer.waiting = true;
  waiting_.push_back(id);
}

/// At the end of an instant, so that what starts and ends together moves once.
void Network::settle_waiting() {
  for (const std::uint32_t id : waiting_)
    if (transfers_[id].waiting) settle(id);
  waiting_.clear();
}

void Network::settle(std::uint32_t id) {
  Transfer& transfer = transfers_[id];
  transfer.waiting = false;
  if (transfer.busy_links == 0) {
    if (transfer.shared) run_alone(id, solver_.stop(id));
    return;
  }
  const Path& path = paths_[transfer.path];
  std::uint64_t busy = 0;
  minded_.clear();
  for (std::size_t i = 0; i < path.size(); ++i) {
    if (!links_[path[i].link].busy) continue;
    busy |= bit(i);
    minded_.insert(minded_.end(), path[i].weight, path[i].link);
  }
  if (transfer.shared && (busy & ~transfer.minded) == 0) return;
  const double left =
      transfer.shared ? solver_.stop(id) : transfer.left - transfer.rate * (now_ - transfer.since);
  if (!transfer.was_shared) ++clients_[transfer.client].counts.shared_transfers;
  transfer.shared = transfer.was_shared = true;
  transfer.minded = busy;
  ++transfer.generation;
  solver_.start(id, minded_, left, transfer.rate);
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
      clients_[entry.client].handler.due(entry.tag);
      continue;
    }
    const auto id = static_cast<std::uint32_t>(entry.tag);
    const auto generation = static_cast<std::uint32_t>(entry.tag >> 32);
    if (transfers_[id].generation == generation) leave(id);
  }
  if (!waiting_.empty() && clock_ >= now_) settle_waiting();
  if (!waiting_.empty())
    wake(now_);
  else if (!agenda_.empty())
    wake(agenda_.top().time);
}

void Network::stop() {
  for (Link& link : links_) {
    account(link);
    for (const std::uint32_t id : link.present) {
      Transfer& transfer = transfers_[id];
      if (transfer.bytes == 0) continue;  // dropped on an earlier link
      if (transfer.shared) solver_.stop(id);
      bytes_dropped_ += std::exchange(transfer.bytes, 0);
    }
    link.present.clear();
  }
  agenda_ = {};
  waiting_.clear();
}

void Network::run() {
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
  CHECK_INVARIANT(std::abs(bytes_sent_ - bytes_arrived_ - bytes_dropped_) <= 1e-9 * bytes_sent_);
}

}  // namespace sim::engine
