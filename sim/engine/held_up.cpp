#include <algorithm>

#include "sim/engine/player.hpp"

/// Collectives of the Player that kernels hold up. Such a collective has `total.time` seconds of
/// work. It works at the speed that the kernels of its members leave it, the slowest of them, and
/// is over when it has done its work and its last byte has arrived. So what kernels take and what
/// the network takes do not add up: who waits for a link has no use for SMs.
namespace sim::engine {

namespace {

/// Less work than that is rounding, see Progress::at.
constexpr double done = 1e-9;

double speed_beside(const calibrate::CollectiveCost& cost, Progress::Doing kernels) {
  switch (kernels) {
    case Progress::Doing::arithmetic: return 1 - cost.lost_to_products;
    case Progress::Doing::streaming: return 1 - cost.lost_to_memory;
    case Progress::Doing::nothing: break;
  }
  return 1;
}

}  // namespace

/// It begins, alone it takes `seconds`.
void Player::hold(std::uint32_t index, double seconds) {
  Meeting& meeting = meetings_[index];
  const double now = network_.now();
  meeting.held = {true, seconds, now, 1, now + seconds};
  for (const Actor actor : members(meeting)) compute_[actor].held.push_back(index);
  work_on(index);
}

void Player::advance_held(std::uint32_t index) {
  Held& held = meetings_[index].held;
  held.left = std::max(0.0, held.left - (network_.now() - held.since) * held.speed);
  held.since = network_.now();
}

/// Goes on at the speed of this moment until it is over or the kernels of a member change.
void Player::work_on(std::uint32_t index) {
  Meeting& meeting = meetings_[index];
  advance_held(index);
  ++meeting.generation;
  const calibrate::CollectiveCost& cost = script_.cost(meeting.subject, real_group(meeting));
  meeting.held.speed = 1;
  double until = std::numeric_limits<double>::infinity();
  for (const Actor actor : members(meeting)) {
    const Progress::Now kernels = kernels_of(actor);
    meeting.held.speed = std::min(meeting.held.speed, speed_beside(cost, kernels.doing));
    until = std::min(until, kernels.until);
  }
  appoint(std::min(until, network_.now() + meeting.held.left / meeting.held.speed),
          tag(Kind::over, pair(meeting.generation, index)));
}

/// What the actor's kernels do has changed.
void Player::work_on_held_by(Actor actor) {
  for (const std::uint32_t index : compute_[actor].held) work_on(index);
}

/// What work_on waited for has come.
void Player::look_at_held(std::uint32_t index) {
  advance_held(index);
  if (meetings_[index].held.left > done)
    work_on(index);
  else if (meetings_[index].transfers_left == 0)
    end_meeting(index);
}

/// Its last byte is there.
void Player::arrived(std::uint32_t index) {
  Meeting& meeting = meetings_[index];
  if (meeting.held.on) {
    meeting.held.free_end = network_.now();
    advance_held(index);
    if (meeting.held.left > done) return;
  }
  end_meeting(index);
}

void Player::release(std::uint32_t index) {
  Meeting& meeting = meetings_[index];
  meeting.held.on = false;
  for (const Actor actor : members(meeting)) std::erase(compute_[actor].held, index);
}

Progress::Now Player::kernels_of(Actor actor) const {
  const Compute& here = compute_[actor];
  if (here.on) return here.progress.at(network_.now());
  if (here.meeting != 0) return meetings_[here.meeting - 1].progress.at(network_.now());
  return {};
}

}  // namespace sim::engine
