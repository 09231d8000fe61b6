#pragma once

#include <cstdint>
#include <functional>
#include <queue>
#include <span>
#include <vector>

#include "sim/engine/solver.hpp"

namespace sim::engine {

/// Who is told of an event: chosen by the caller, handed back unchanged.
using Tag = std::uint64_t;
using PathId = std::uint32_t;
/// Whose events they are: of several jobs on one network.
using Client = std::uint32_t;

/// Rounding of sums of rates may not turn a link that is exactly full into a busy one.
inline constexpr double calm_slack = 1 + 1e-6;

/// The agenda of the simulation and the transfers on the links.
///
/// A link on which the rate caps of all present transfers add up to no more than its rate is calm:
/// it can hold nobody back, so leaving it out changes no share. SimGrid is told only of busy links
/// and of the transfers that cross one, which it shares max-min fairly; a transfer that crosses
/// only calm links runs at its cap, and its end is an entry in the agenda. As links become busy and
/// calm again, transfers move to SimGrid and back with the bytes they have left. Same times as
/// with every link and transfer in SimGrid for a fraction of the work: `everything_shared` plays it
/// that way, for tests and for comparison.
class Network {
 public:
  struct Handler {
    std::function<void(Tag)> due;      ///< an appointment has come
    std::function<void(Tag)> arrived;  ///< the last byte of a transfer has arrived
  };
  struct Counts {
    std::uint64_t transfers = 0;
    std::uint64_t shared_transfers = 0;  ///< those that SimGrid played
  };

  struct Hop {
    std::uint32_t link = 0;
    /// A transfer stands for others like it: so many of them cross this link.
    std::uint32_t weight = 1;
  };
  /// What became of a link.
  struct LinkUse {
    double busy = 0;  ///< seconds in which it was asked for more than its rate
    double lost = 0;  ///< seconds that its transfers would have saved had it been wide enough
  };
  /// Who was on a link at once, see `watch`.
  struct Encounter {
    double together = 0;         ///< seconds in which transfers of at least two clients were on it
    std::vector<double> active;  ///< by client: seconds in which any of its transfers was
  };

  explicit Network(const std::vector<double>& link_rate, bool everything_shared = false);

  /// At least one link and at most 64, each at most once.
  PathId add_path(std::vector<Hop> hops);

  /// Whoever has events; before `run`.
  Client join(Handler handler);
  /// Books who is on this link at once; after all have joined, before `run`.
  void watch(std::uint32_t link);

  double now() const { return now_; }
  void at(double time, Client client, Tag tag) {
    agenda_.push({time, 1, client, sequence_++, tag});
  }
  /// Sends `bytes` along a path at no more than `rate`.
  void start(PathId path, double bytes, double rate, Client client, Tag tag);
  /// Hands out events in order of time until none is left.
  void run();
  /// Drops what is still under way, so that `run` ends.
  void stop();

  const Counts& counts(Client client) const { return clients_[client].counts; }
  LinkUse use_of(std::size_t link) const { return links_[link].use; }
  /// \pre the link is watched
  const Encounter& encounter_on(std::size_t link) const { return watched_[links_[link].watched]; }

 private:
  struct Entry {
    double time;
    std::uint32_t rank;  // 0: the end of a transfer, which makes room; before those of rank 1
    Client client;       // of rank 1
    std::uint64_t sequence;
    Tag tag;

    bool operator>(const Entry& o) const {
      if (time != o.time) return time > o.time;
      return rank != o.rank ? rank > o.rank : sequence > o.sequence;
    }
  };
  using Path = std::vector<Hop>;  // links ascending
  struct Link {
    double rate = 0;
    double demand = 0;  // sum of the rate caps of all transfers present
    bool busy = false;
    double since = 0;  // `use` is as of then
    LinkUse use;
    std::vector<std::uint32_t> present;
    std::uint32_t watched = 0;  // entry of `watched_`, the first of which is nobody's
  };
  struct Watched : Encounter {
    std::vector<std::uint32_t> present;  // by client: its transfers
    double since = 0;
  };
  struct Member {
    Handler handler;
    Counts counts;
  };
  struct Transfer {
    PathId path = 0;
    std::uint32_t generation = 0;  // entries in the agenda of an earlier one are void
    Client client = 0;
    Tag tag = 0;
    double bytes = 0;
    double rate = 0;
    double left = 0;  // bytes, at `since`; while it is not shared
    double since = 0;
    std::uint64_t minded = 0;  // bit i: SimGrid minds link i of the path for this transfer
    std::uint32_t busy_links = 0;
    bool shared = false;  // SimGrid plays it
    bool was_shared = false;
    bool waiting = false;  // for the end of this instant, to be put where it belongs
  };

  bool is_busy(const Link& link) const;
  void account(Link& link);
  void run_alone(std::uint32_t id, double left);
  void await(std::uint32_t id);
  void settle_waiting();
  void settle(std::uint32_t id);
  double agenda_limit() const;
  void work_off_agenda();
  void leave(std::uint32_t id);
  void wake(double date);

  std::vector<Link> links_;
  std::vector<Path> paths_;
  std::vector<Transfer> transfers_;
  std::vector<std::uint32_t> free_;
  std::vector<std::uint32_t> waiting_;
  std::vector<std::uint32_t> minded_;  // links of the transfer that is being settled
  std::priority_queue<Entry, std::vector<Entry>, std::greater<>> agenda_;
  Solver solver_;
  std::vector<Member> clients_;
  std::vector<Watched> watched_;
  std::uint64_t sequence_ = 0;
  double now_ = 0;
  double clock_ = 0;                                                        // SimGrid's
  std::priority_queue<double, std::vector<double>, std::greater<>> armed_;  // dates it wakes us
  double bytes_sent_ = 0;
  double bytes_arrived_ = 0;
  double bytes_dropped_ = 0;
  bool everything_shared_;
};

}  // namespace sim::engine
