#include <algorithm>

#include "base/check.hpp"
#include "sim/engine/player.hpp"

/// The compute stream of the Player: segments, piece by piece or by a group together, and the speed
/// of kernels.
namespace sim::engine {

namespace {

std::size_t at(int i) { return static_cast<std::size_t>(i); }

/// What kernels keep of a GPU in any case.
constexpr double least_speed = 0.1;

}  // namespace

void Player::run_segment(Actor actor, const Task& task) {
  const int of_segment = script_.of_segment(task.index);
  if (of_segment >= 0) {
    const std::uint32_t meeting = meeting_of(of_segment, actor);
    if (together(task.index, meetings_[meeting].group).mode == Together::Mode::together) {
      arrive(meeting, task.stream, true, task.index);
      return;
    }
  }
  advance(actor);
}

/// Goes on with a segment piece by piece: kernels up to the next collective are one run.
void Player::advance(Actor actor) {
  Compute& here = compute_[actor];
  const std::uint32_t index = current(actor, Stream::compute);
  const std::vector<Piece>& pieces = graph_.segments[tasks(actor)[index].index].pieces;
  here.kernels.clear();
  for (; here.piece < pieces.size(); ++here.piece) {
    const Piece& piece = pieces[here.piece];
    const bool talks = script_.talks(piece.collective);
    if (talks && !here.kernels.empty()) break;
    if (talks || piece.compute > base::Seconds{})
      Progress::append(here.kernels, Progress::part_of(piece, 0));
    if (!talks) continue;
    ++here.piece;
    run_kernels(actor, false);
    const auto use = static_cast<std::uint32_t>(piece.collective);
    arrive(meeting_of(script_.of_collective(use), actor), Stream::compute, false, use);
    return;
  }
  if (!here.kernels.empty()) {
    ++outcome_.durations;
    run_kernels(actor, true);
    return;
  }
  span(actor, index).slowed = here.slowed;
  complete(actor, index);
}

/// `timed`: goes on when they are over; else somebody waits for them, with await_kernels.
void Player::run_kernels(Actor actor, bool timed) {
  Compute& here = compute_[actor];
  here.progress.start(here.kernels, network_.now());
  here.full_end = here.progress.end();
  here.progress.set_speed(network_.now(), speed(actor));
  here.on = true;
  here.timed = false;
  work_on_held_by(actor);
  if (timed) await_kernels(actor);
}

void Player::await_kernels(Actor actor) {
  Compute& here = compute_[actor];
  const double end = here.progress.end();
  here.full_end = std::max(here.full_end, network_.now());
  if (end > network_.now()) {
    here.timed = true;
    appoint(end, tag(Kind::compute, pair(actor, ++here.generation)));
    return;
  }
  kernels_over(actor);
}

void Player::kernels_over(Actor actor) {
  Compute& here = compute_[actor];
  here.on = false;
  here.slowed += std::max(0.0, network_.now() - here.full_end);
  advance(actor);
}

Player::Together& Player::together(std::uint32_t segment, std::uint32_t group) {
  std::vector<Together>& of_segment = together_[segment];
  if (of_segment.empty()) of_segment.resize(cast_.groups[at(script_.of_segment(segment))].count());
  Together& found = of_segment[group];
  if (found.mode == Together::Mode::unknown) found = decide(segment, group);
  return found;
}

/// Whether the ranks of the union of a segment's groups can run it as one duration, and how long.
/// Exact when they run equal programs and pay equal prices: after its first collective along an
/// axis a rank is level with all ranks along that axis, so once every axis has had one, all are
/// level with the last to come; kernels before it take all of them equally long. Their ends are
/// therefore (readiness of the last) + (sum of the pieces), which is what this says. Kernels that
/// other collectives slow down are as slow as those of the member that is slowed most: exact where
/// members are slowed alike, as copies are.
Player::Together Player::decide(std::uint32_t segment, std::uint32_t group) const {
  Together by_piece{Together::Mode::by_piece, {}};
  if (!options_.private_as_durations || !options_.coalesce) return by_piece;
  const int of_segment = script_.of_segment(segment);
  const std::span<const int> ranks = script_.communicators()[at(of_segment)].members_of(
      cast_.groups[at(of_segment)].group_of[group]);
  for (const int rank : ranks)
    if (script_.program_of(rank) != script_.program_of(ranks.front())) return by_piece;

  Together sum{Together::Mode::together, {}};
  for (const Piece& piece : graph_.segments[segment].pieces) {
    double collective = 0;
    if (script_.talks(piece.collective)) {
      const auto use = static_cast<std::uint32_t>(piece.collective);
      const std::vector<std::uint32_t>& group_of =
          script_.communicators()[at(script_.of_collective(use))].group_of;
      const base::Seconds price = script_.cost(use, group_of[at(ranks.front())]).total.time;
      for (const int rank : ranks) {
        const std::uint32_t its_group = group_of[at(rank)];
        if (script_.shape(use, its_group).nodes != 1) return by_piece;
        if (script_.cost(use, its_group).total.time != price) return by_piece;
      }
      collective = price.s();
    }
    Progress::append(sum.parts, Progress::part_of(piece, collective));
  }
  return sum;
}

void Player::await_segment(std::uint32_t index) {
  Meeting& meeting = meetings_[index];
  appoint(std::max(network_.now(), meeting.progress.end()),
          tag(Kind::over, pair(meeting.generation, index)));
}

Progress::Speed Player::speed(Actor actor) const {
  const Compute& here = compute_[actor];
  const double arithmetic = std::max(least_speed, 1 - here.sms_taken);
  return {arithmetic, std::min(arithmetic, std::max(least_speed, 1 - here.memory_taken))};
}

Progress::Speed Player::speed_of_group(const Meeting& meeting) const {
  Progress::Speed least;
  for (const Actor actor : members(meeting)) {
    const Progress::Speed one = speed(actor);
    least.arithmetic = std::min(least.arithmetic, one.arithmetic);
    least.streaming = std::min(least.streaming, one.streaming);
  }
  return least;
}

/// A collective takes its shares of the GPUs of its members from the kernels beside it (`times` 1),
/// or gives them back (-1).
void Player::take(const Meeting& meeting, double times) {
  const calibrate::CollectiveCost& cost = script_.cost(meeting.subject, real_group(meeting));
  if (cost.sm_share == 0 && cost.memory_share == 0) return;
  const double now = network_.now();
  const auto change = [&](double& taken, double share) {
    taken += times * share;
    if (taken < 1e-12) taken = 0;  // rounding must not add up
  };
  for (const Actor actor : members(meeting)) {
    Compute& here = compute_[actor];
    change(here.sms_taken, cost.sm_share);
    change(here.memory_taken, cost.memory_share);
    if (here.on) {
      here.progress.set_speed(now, speed(actor));
      if (here.timed)
        appoint(std::max(now, here.progress.end()),
                tag(Kind::compute, pair(actor, ++here.generation)));
    }
    if (here.meeting != 0) {
      Meeting& segment = meetings_[here.meeting - 1];
      segment.progress.set_speed(now, speed_of_group(segment));
      ++segment.generation;
      await_segment(here.meeting - 1);
    }
    work_on_held_by(actor);
  }
}

}  // namespace sim::engine
