#pragma once

#include <cstdint>
#include <deque>
#include <span>
#include <vector>

#include "sim/engine.hpp"
#include "sim/engine/cast.hpp"
#include "sim/engine/fabric.hpp"
#include "sim/engine/player.hpp"
#include "sim/engine/script.hpp"
#include "sim/engine/traffic.hpp"

namespace sim::engine {

/// A job made ready to be played.
struct Part {
  Part(const PlacedStep& job, const Fabric& fabric, bool inside_domains);
  Part(const Part&) = delete;
  Part& operator=(const Part&) = delete;

  const StepGraph& graph;
  Script script;
  Traffic traffic;
  std::vector<double> demand;  ///< by link
  bool meets = false;          ///< others on a link that may bind
  Cast cast;
  std::vector<std::uint32_t> first_span;  ///< by actor
  std::size_t tasks = 0;
};

/// All jobs and the links that they meet on.
class Parts {
 public:
  Parts(std::span<const PlacedStep> jobs, const Fabric& fabric, const PlayOptions& options);

  std::deque<Part>& all() { return parts_; }
  /// By number in the network.
  const std::vector<double>& link_rate() const { return link_rate_; }
  /// Links of the fabric that may bind and that several jobs use.
  const std::vector<std::uint32_t>& met() const { return met_; }
  /// Number of a link of the fabric in the network. \pre it may bind, and belongs to the part alone
  /// or is met on
  static std::uint32_t network_link(const Part& part, std::uint32_t link) {
    return part.cast.network_link[part.cast.link_class[link]];
  }

 private:
  void bind(bool everything);
  void number_links();

  std::deque<Part> parts_;
  std::vector<double> link_rate_;
  std::vector<std::uint32_t> met_;
};

}  // namespace sim::engine
