#include "sim/collectives/collectives.hpp"

#include <map>

#include "calibrate/profile.hpp"
#include "tests/support/catch.hpp"

namespace sim::collectives {
namespace {

using calibrate::Collective;

struct Sums {
  std::map<int, double> sent;
  std::map<int, double> received;
  std::map<std::pair<int, int>, double> between_domains;
  double total = 0;
};

Sums sums_of(const std::vector<Flow>& flows, const std::vector<int>& domains) {
  Sums sums;
  for (const Flow& flow : flows) {
    const auto bytes = flow.bytes.as_double();
    CHECK(flow.from != flow.to);
    CHECK(bytes > 0);
    sums.sent[flow.from] += bytes;
    sums.received[flow.to] += bytes;
    sums.total += bytes;
    const int a = domains[static_cast<std::size_t>(flow.from)];
    const int b = domains[static_cast<std::size_t>(flow.to)];
    if (a != b) sums.between_domains[{a, b}] += bytes;
  }
  return sums;
}

std::vector<Flow> expand(Collective op, std::int64_t bytes, const std::vector<int>& domains) {
  std::vector<Member> members;
  for (const int domain : domains) members.push_back({domain, 0});
  const bool straight = op == Collective::all_to_all || op == Collective::send_receive;
  return algorithm(straight ? CollectiveAlgorithm::direct : CollectiveAlgorithm::ring)
      .expand({op, base::Bytes::from_count(bytes), {}}, members)
      .flows;
}

/// `nodes` nodes of `members` members, in order.
std::vector<int> domains_of(int nodes, int members) {
  std::vector<int> domains;
  for (int i = 0; i < nodes * members; ++i) domains.push_back(i / members);
  return domains;
}

TEST_CASE("a ring of four passes the bus factor from each to the next") {
  // all-reduce of 4,000 bytes over 4: 2 x 3/4 x 4,000 = 6,000 bytes a hop.
  CHECK(expand(Collective::all_reduce, 4000, domains_of(1, 4)) ==
        std::vector<Flow>{{0, 1, base::Bytes::from_count(6000)},
                          {1, 2, base::Bytes::from_count(6000)},
                          {2, 3, base::Bytes::from_count(6000)},
                          {3, 0, base::Bytes::from_count(6000)}});
}

TEST_CASE("a ring over two nodes of two uses both NICs") {
  // all-gather of 8,000 bytes over 4: W = 3/4 x 8,000 = 6,000. Inside a node each member passes
  // W x 1/2 = 3,000 to the other; from node to node W / 2 = 3,000 on each of two rails.
  const auto bytes = base::Bytes::from_count(3000);
  CHECK(expand(Collective::all_gather, 8000, domains_of(2, 2)) == std::vector<Flow>{{0, 1, bytes},
                                                                                    {1, 0, bytes},
                                                                                    {0, 2, bytes},
                                                                                    {1, 3, bytes},
                                                                                    {2, 3, bytes},
                                                                                    {3, 2, bytes},
                                                                                    {2, 0, bytes},
                                                                                    {3, 1, bytes}});
}

TEST_CASE("each member sends and receives what the bus factor says") {
  const auto op = GENERATE(Collective::all_reduce, Collective::all_gather,
                           Collective::reduce_scatter, Collective::all_to_all);
  for (const int nodes : {1, 2, 3, 5})
    for (const int members : {1, 2, 4, 8}) {
      const std::vector<int> domains = domains_of(nodes, members);
      const int ranks = nodes * members;
      const std::int64_t bytes = 840'000;
      const Sums sums = sums_of(expand(op, bytes, domains), domains);
      if (ranks == 1) {
        CHECK(sums.total == 0);
        continue;
      }
      const double wire = static_cast<double>(bytes) * calibrate::bus_factor(op, ranks);
      for (int i = 0; i < ranks; ++i) {
        CHECK(sums.sent.at(i) == Approx(wire).epsilon(1e-4));
        CHECK(sums.received.at(i) == Approx(wire).epsilon(1e-4));
      }
      CHECK(sums.total == Approx(wire * ranks).epsilon(1e-4));
      if (op == Collective::all_to_all) continue;
      for (const auto& [nodes_of_hop, hop] : sums.between_domains)
        CHECK(hop == Approx(wire).epsilon(1e-4));
      CHECK(sums.between_domains.size() == static_cast<std::size_t>(nodes == 1 ? 0 : nodes));
    }
}

TEST_CASE("a broadcast brings the buffer to everyone but the root, a reduce is its mirror") {
  for (const int nodes : {1, 2, 3})
    for (const int members : {1, 2, 4}) {
      const std::vector<int> domains = domains_of(nodes, members);
      const Sums down = sums_of(expand(Collective::broadcast, 8000, domains), domains);
      const Sums up = sums_of(expand(Collective::reduce, 8000, domains), domains);
      for (int i = 1; i < nodes * members; ++i) CHECK(down.received.at(i) == Approx(8000));
      CHECK(down.received.count(0) == 0);
      CHECK(up.sent == down.received);
      CHECK(up.received == down.sent);
    }
}

TEST_CASE("uneven nodes share the larger one's lanes") {
  // Nodes of 3 and 1: W = 2 x 3/4 x 12,000 = 18,000 each way, in three lanes of 6,000.
  const std::vector<int> domains{0, 0, 0, 1};
  const Sums sums = sums_of(expand(Collective::all_reduce, 12000, domains), domains);
  CHECK(sums.between_domains.at({0, 1}) == 18000);
  CHECK(sums.between_domains.at({1, 0}) == 18000);
  CHECK(sums.received.at(3) == 18000);
  CHECK(sums.sent.at(0) == 6000 + 12000);
}

TEST_CASE("an exchange sends the message to the next member") {
  CHECK(expand(Collective::send_receive, 500, domains_of(2, 1)) ==
        std::vector<Flow>{{0, 1, base::Bytes::from_count(500)},
                          {1, 0, base::Bytes::from_count(500)}});
}

}  // namespace
}  // namespace sim::collectives
