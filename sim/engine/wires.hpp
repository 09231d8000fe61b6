#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "sim/engine/cast.hpp"
#include "sim/engine/network.hpp"
#include "sim/engine/traffic.hpp"

namespace sim::engine {

/// The flows that actors put on the network: one of each class, and only those that cross a link
/// that may bind, for all others take their time whatever happens.
class Wires {
 public:
  struct Flow {
    PathId path = 0;
    double bytes = 0;
  };

  Wires(const Traffic& traffic, const Cast& cast, Network& network);

  /// Of a class of groups; bytes are those of the pattern's example.
  std::span<const Flow> of_collective(int pattern, std::uint32_t group_class);
  /// Between two ranks; bytes are shares of the message.
  std::span<const Flow> of_message(int from, int to);

 private:
  struct Range {
    std::uint32_t first = 0;
    std::uint32_t count = 0;
    bool known = false;
  };

  Range range_of(std::span<const Traffic::Flow> flows);
  bool add_path(const Traffic::Flow& flow, PathId& path);

  const Traffic& traffic_;
  const Cast& cast_;
  Network& network_;
  std::vector<std::vector<Range>> ranges_;  // by pattern, class of groups
  std::vector<Range> message_ranges_;       // by flow: of the message that begins with it
  std::vector<Flow> flows_;
};

}  // namespace sim::engine
