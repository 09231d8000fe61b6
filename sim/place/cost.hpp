#pragma once

#include <vector>

#include "sim/place/demand.hpp"
#include "topology/network_tree.hpp"

namespace sim::place {

/// Free nodes that are alike for a job: in the same lowest domains.
struct Site {
  int home = 0;            ///< into NetworkTree::domains
  int accelerator = 0;     ///< NodeInfo::accelerator_domain, -1 where that is one node
  int slice = -1;          ///< domain of the level that slices stay in; -1: none
  std::vector<int> nodes;  ///< ascending
};

/// What a placement costs.
///
/// The step alone, plus for each demand what the step grows by when its bytes take T/T_alone times
/// as long: of its parts the most, or where they are chained the mean. T is that of the busiest way
/// out of (or into) a domain: bytes over it in a step over the rate of its live cables together,
/// times the demand's skew where cables belong to rails.
///
/// What it leaves out: hashes that put more on one cable than on another, waiting of different
/// demands for each other, when in a step each of them wants the link, latency, and paths that are
/// no tree (a dragonfly's).
struct Cost {
  double step = 0;      ///< seconds
  double crossing = 0;  ///< seconds of all ways out of domains together: decides between equals

  /// Whether it is less, by more than rounding.
  bool better_than(const Cost& other) const;
};

/// What does not change while placements are compared. All of it must outlive this.
class Ground {
 public:
  /// `background`: bytes a second of other jobs over the way out of each domain; empty: none. A job
  /// gets at least half of a link, as sharing between two is fair.
  Ground(const StepDemand& demand, const topology::Cluster& cluster,
         const topology::NetworkTree& tree, std::vector<Site> sites,
         const std::vector<double>& background = {});

  const StepDemand& demand() const { return demand_; }
  const topology::NetworkTree& tree() const { return tree_; }
  const std::vector<Site>& sites() const { return sites_; }
  int slots() const { return demand_.slots; }
  int demands() const { return static_cast<int>(demand_.demands.size()); }
  /// Seconds that a byte takes on the way out of a domain, when it is spread over all its cables.
  double seconds_per_byte(int domain) const { return per_byte_[static_cast<std::size_t>(domain)]; }
  /// The same for the bytes of demand `d`, on its busiest rail.
  double seconds_per_byte(int d, int domain) const;
  /// Seconds of the step when the busiest way of each row is busy for so long.
  double step_with(const std::vector<double>& busy_of_row) const;

  /// Demands are counted by part: rows.
  int rows() const { return static_cast<int>(demand_of_row_.size()); }
  int demand_of_row(int row) const { return demand_of_row_[static_cast<std::size_t>(row)]; }

  struct Peer {
    int row = 0;
    int slot = 0;
    double bytes = 0;
    bool outgoing = false;
  };
  const std::vector<Peer>& peers(int slot) const { return peers_[static_cast<std::size_t>(slot)]; }
  bool shared_accelerators() const { return shared_accelerators_; }
  double node_seconds_per_byte(int d) const;

 private:
  const StepDemand& demand_;
  const topology::NetworkTree& tree_;
  std::vector<Site> sites_;
  std::vector<double> per_byte_;  // by domain
  std::vector<int> demand_of_row_;
  double node_per_byte_ = 0;
  bool shared_accelerators_ = false;
  std::vector<std::vector<Peer>> peers_;
};

/// Sites for the free nodes of a cluster. `slice_of`: by node, domain of the level that slices stay
/// in; empty: none.
std::vector<Site> sites_of(const std::vector<int>& free, const topology::Cluster& cluster,
                           const topology::NetworkTree& tree, const std::vector<int>& slice_of);

/// The load of a placement, whole or in part, kept up to date slot by slot.
class Loads {
 public:
  explicit Loads(const Ground& ground);

  int site_of(int slot) const { return site_[static_cast<std::size_t>(slot)]; }
  /// Free nodes left at a site.
  int left(int site) const { return left_[static_cast<std::size_t>(site)]; }
  /// \pre the slot is nowhere. A site may be overfull in between.
  void put(int slot, int site);
  void take(int slot);
  void move(int slot, int site) {
    take(slot);
    put(slot, site);
  }
  /// Of the slots that are somewhere: never less than with fewer of them.
  Cost cost() const;
  /// Bytes of demand `d` over the way out of a domain, all its parts, the more loaded direction.
  double bytes(int d, int domain) const;
  /// Seconds in which the busiest way that a row uses moves the bytes that share it.
  std::vector<double> busy_of_rows() const;

 private:
  void add(const Ground::Peer& peer, int slot, double sign);

  const Ground* ground_;
  std::vector<int> site_;
  std::vector<int> left_;
  double busiest(int row, const std::vector<double>& out, const std::vector<double>& in,
                 std::size_t first) const;

  std::vector<double> out_;  // by row and domain
  std::vector<double> in_;
  std::vector<double> node_out_;  // by row and slot
  std::vector<double> node_in_;
};

}  // namespace sim::place
