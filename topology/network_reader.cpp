#include "topology/network_reader.hpp"

#include <fmt/format.h>

#include <array>
#include <limits>
#include <optional>
#include <string>
#include <utility>

namespace topology {

namespace {

constexpr std::array<std::pair<std::string_view, Routing>, 2> routing_names{{
    {"ecmp", Routing::ecmp},
    {"adaptive", Routing::adaptive},
}};

}  // namespace

NetworkSpec read_network(base::MapReader& reader) {
  NetworkSpec out;
  reader.read_choice("routing", out.routing.kind, routing_names);
  std::int64_t seed = 0;
  if (reader.read("ecmp_seed", seed, {0, std::numeric_limits<std::int64_t>::max()}))
    out.routing.ecmp_seed = static_cast<std::uint64_t>(seed);
  reader.read("pxn", out.routing.pxn);
  std::vector<base::PlacedText> down;
  reader.read("link_down", down);
  for (base::PlacedText& one : down) out.faults.push_back({std::move(one.text), 0, one.where});
  if (std::optional<base::MapReader> degraded = reader.map("link_degraded"))
    for (const std::string_view name : degraded->keys()) {
      double left = 0;
      if (!degraded->require(name, left)) continue;
      if (!(left > 0 && left < 1))
        degraded->error(name, fmt::format("'{}' is {}, must be above 0 and below 1", name, left),
                        left == 0 ? "name it in 'link_down'" : "it is the share of the rate left");
      out.faults.push_back({std::string(name), left, degraded->where(name)});
    }
  reader.finish();
  return out;
}

}  // namespace topology
