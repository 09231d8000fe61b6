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

/// The agenda of the simulation and the transfers on the links.
///
/// A link on which the rate caps of all present flows add up to no more than its rate is calm: it
/// can hold nobody back, so leaving it out changes no share. A transfer that crosses only calm
/// links runs at its cap, and its end is an entry in the agenda. When a new transfer makes a link
/// busy, all transfers on that link move, with the bytes they have left, into SimGrid, which shares
/// their links max-min fairly until they end. Same times as with every transfer in SimGrid, for a
/// fraction of the work: `everything_shared` plays it that way, for tests and for comparison.
class Network {
 public:
  struct Handler {
    std::function<void(Tag)> due;      ///< an appointment has come
    std::function<void(Tag)> arrived;  ///< the last byte of a transfer has arrived
  };
  struct Counts {
    std::uint64_t appointments = 0;
    std::uint64_t transfers = 0;
    std::uint64_t flows = 0;             ///< a transfer of a collective is many flows
    std::uint64_t shared_transfers = 0;  ///< those that SimGrid played
    std::uint64_t shared_flows = 0;
  };

  explicit Network(std::vector<double> link_rate, bool everything_shared = false);

  /// Links crossed by the flows of a transfer, one entry per flow and link.
  PathId add_path(std::vector<std::uint32_t> crossings, std::uint32_t flows);

  double now() const { return now_; }
  void at(double time, Tag tag) { agenda_.push({time, 1, sequence_++, tag}); }
  /// Each flow of `path` carries `bytes` at no more than `rate`.
  void start(PathId path, double bytes, double rate, Tag tag);
  /// Hands out events in order of time until none is left.
  void run(Handler handler);

  const Counts& counts() const { return counts_; }
  /// Bytes carried by each link so far.
  std::vector<double> link_bytes() const;
  double bytes_sent() const { return bytes_sent_; }
  double bytes_arrived() const { return bytes_arrived_; }

 private:
  struct Entry {
    double time;
    std::uint32_t rank;  // 0: the end of a transfer, which makes room; before those of rank 1
    std::uint64_t sequence;
    Tag tag;

    bool operator>(const Entry& o) const {
      if (time != o.time) return time > o.time;
      return rank != o.rank ? rank > o.rank : sequence > o.sequence;
    }
  };
  struct Path {
    std::vector<LinkUse> links;
    std::uint32_t flows = 0;
    double bytes = 0;  // of each flow, over all transfers
  };
  struct Link {
    double rate = 0;
    double demand = 0;                 // sum of the rate caps of all flows present
    std::uint32_t present = 0;         // transfers present
    std::vector<std::uint32_t> alone;  // those of them that SimGrid does not know
  };
  struct Transfer {
    PathId path = 0;
    double bytes = 0;
    double rate = 0;
    double begin = 0;
    Tag tag = 0;
    std::uint32_t generation = 0;
    bool shared = false;
  };

  bool busy(const Link& link) const;
  void share_those_on(Link& link);
  void share(std::uint32_t id);
  void admit_waiting();
  void work_until_shared(double clock);
  void leave(std::uint32_t id);
  void wake(double date);

  std::vector<Link> links_;
  std::vector<Path> paths_;
  std::vector<Transfer> transfers_;
  std::vector<std::uint32_t> free_;
  std::vector<std::uint32_t> waiting_;  // for SimGrid's clock to reach now
  std::priority_queue<Entry, std::vector<Entry>, std::greater<>> agenda_;
  Solver solver_;
  Handler handler_;
  Counts counts_;
  std::uint64_t sequence_ = 0;
  double now_ = 0;
  double clock_ = 0;                                                        // SimGrid's
  std::priority_queue<double, std::vector<double>, std::greater<>> armed_;  // dates it wakes us
  double bytes_sent_ = 0;
  double bytes_arrived_ = 0;
  bool everything_shared_;
};

}  // namespace sim::engine
