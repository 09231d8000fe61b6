// What must hold for every algorithm, operation and layout: conservation, how much reaches each,
// whole bytes, rounds.

#include <numeric>
#include <set>

#include "tests/sim/collectives_support.hpp"
#include "tests/support/catch.hpp"

namespace sim::collectives {
namespace {

using Id = CollectiveAlgorithm;

bool adds_in_switch(Id id) {
  return id == Id::collnet_direct || id == Id::collnet_chain || id == Id::nvls ||
         id == Id::nvls_tree;
}

/// Whether members may get what they do not need themselves: to hand it on, or from a switch.
bool detours(Id id) { return id == Id::rail_aligned || id == Id::forwarded || id == Id::nvls; }

std::vector<Collective> operations() {
  std::vector<Collective> all;
  for (const auto& [name, op] : base::collective_names) all.push_back(op);
  return all;
}

TEST_CASE("every algorithm has its row") {
  CHECK(algorithms().size() == base::collective_algorithm_names.size());
  std::set<Id> seen;
  for (const auto& [name, id] : base::collective_algorithm_names) {
    CHECK(algorithm(id).id == id);
    seen.insert(id);
    const auto ops = operations();
    CHECK(std::any_of(ops.begin(), ops.end(), algorithm(id).supports));
  }
  CHECK(seen.size() == algorithms().size());
  for (const Collective op : operations())
    CHECK(std::any_of(algorithms().begin(), algorithms().end(),
                      [op](const Algorithm& one) { return one.supports(op); }));
}

/// Calls check(algorithm, op, members, expansion of `bytes`) for all there are.
template <class Check>
void for_all(std::int64_t bytes, Check check) {
  for (const std::vector<Member>& members : all_layouts())
    for (const Algorithm& one : algorithms())
      for (const Collective op : operations()) {
        if (!one.supports(op)) continue;
        INFO(base::name_of(one.id) << " " << base::name_of(op) << ", " << members.size()
                                   << " members in " << node_count(members) << " nodes");
        check(one, op, members, one.expand({op, base::Bytes::from_count(bytes), {}}, members));
      }
}

TEST_CASE("flows join two members, once, and carry something") {
  for_all(840'001, [](const Algorithm&, Collective, const std::vector<Member>& members,
                      const Expansion& expansion) {
    std::pair<int, int> last{-1, -1};
    for (const Flow& flow : sorted(expansion.flows)) {
      REQUIRE(flow.from != flow.to);
      REQUIRE(std::min(flow.from, flow.to) >= 0);
      REQUIRE(std::max(flow.from, flow.to) < static_cast<int>(members.size()));
      REQUIRE(flow.bytes.count() > 0);
      REQUIRE(std::pair(flow.from, flow.to) > last);  // each pair once
      last = {flow.from, flow.to};
    }
    if (members.size() == 1) CHECK(expansion.flows.empty());
    if (members.size() == 1) CHECK(expansion.rounds_inside + expansion.rounds_across == 0);
  });
}

TEST_CASE("without bytes nothing flows but the rounds stay") {
  for_all(0, [](const Algorithm& one, Collective op, const std::vector<Member>& members,
                const Expansion& nothing) {
    const Expansion much = one.expand({op, base::Bytes::from_mib(1), {}}, members);
    CHECK(nothing.flows.empty());
    CHECK(nothing.rounds_inside == much.rounds_inside);
    CHECK(nothing.rounds_across == much.rounds_across);
    CHECK((nothing.rounds_inside + nothing.rounds_across > 0) == (members.size() > 1));
    if (node_count(members) == 1) CHECK(nothing.rounds_across == 0);
    if (node_count(members) > 1) CHECK(nothing.rounds_across > 0);
    if (node_count(members) == static_cast<int>(members.size())) CHECK(nothing.rounds_inside == 0);
  });
}

TEST_CASE("members get what they lack and send what others lack") {
  // All within n bytes of the exact value, for flows are whole bytes.
  const std::int64_t bytes = GENERATE(1, 17, 840'001);
  for_all(bytes, [bytes](const Algorithm& one, Collective op, const std::vector<Member>& members,
                         const Expansion& expansion) {
    const std::size_t n = members.size();
    if (n == 1) return;
    const Sums sums = sums_of(expansion.flows, n);
    CHECK(std::accumulate(sums.sent.begin(), sums.sent.end(), 0.0) == sums.total);
    CHECK(std::accumulate(sums.received.begin(), sums.received.end(), 0.0) == sums.total);
    const auto whole = static_cast<double>(bytes);
    const double block = whole / static_cast<double>(n);
    const auto margin = static_cast<double>(n);
    for (std::size_t i = 0; i < n; ++i) {
      const double sent = sums.sent[i];
      const double received = sums.received[i];
      switch (op) {
        case Collective::all_reduce: REQUIRE(std::min(sent, received) >= whole - margin); break;
        case Collective::all_gather:
          REQUIRE(received >= whole - block - margin);
          if (!detours(one.id)) REQUIRE(received <= whole - block + margin);
          break;
        case Collective::reduce_scatter:
          REQUIRE(sent >= whole - block - margin);
          if (!detours(one.id)) REQUIRE(sent <= whole - block + margin);
          break;
        case Collective::all_to_all:
          REQUIRE(std::min(sent, received) >= whole - block - margin);
          if (one.id == Id::direct) REQUIRE(sent <= whole - block + margin);
          if (one.id == Id::direct) REQUIRE(received <= whole - block + margin);
          break;
        case Collective::broadcast:
          REQUIRE(std::abs(received - (i == 0 ? 0 : whole)) <= margin);
          break;
        case Collective::reduce: REQUIRE(std::abs(sent - (i == 0 ? 0 : whole)) <= margin); break;
        case Collective::scatter: REQUIRE(received >= (i == 0 ? 0 : block - margin)); break;
        case Collective::gather: REQUIRE(sent >= (i == 0 ? 0 : block - margin)); break;
        case Collective::send_receive: REQUIRE(sent == whole); break;
        case Collective::barrier: REQUIRE(sent == 0); break;
      }
    }
    if (op == Collective::scatter) REQUIRE(sums.sent[0] == Approx(whole - block).margin(margin));
    if (op == Collective::gather) REQUIRE(sums.received[0] == Approx(whole - block).margin(margin));
  });
}

TEST_CASE("an all-reduce moves twice what a reduction takes, unless the switch adds") {
  // n - 1 members have to bring their data in, and n - 1 have to get the sum: 2 (n - 1) S in all,
  // 2 (n - 1) / n S a member on average, though a leaf of a tree may send less than the others.
  const std::int64_t bytes = 840'000;
  for_all(bytes, [](const Algorithm& one, Collective op, const std::vector<Member>& members,
                    const Expansion& expansion) {
    if (op != Collective::all_reduce || members.size() == 1) return;
    const auto n = static_cast<double>(members.size());
    const double least = 2 * (n - 1) * 840'000;
    const Sums sums = sums_of(expansion.flows, members.size());
    if (adds_in_switch(one.id)) return;
    CHECK(sums.total == Approx(least).margin(n * n));
    CHECK(*std::max_element(sums.sent.begin(), sums.sent.end()) >= least / n - n);
    if (one.id == Id::ring)
      for (const double sent : sums.sent) CHECK(sent == Approx(least / n).margin(n));
  });
}

TEST_CASE("an all-reduce is a reduce-scatter and an all-gather") {
  const auto id = GENERATE(Id::ring, Id::hierarchical, Id::recursive_doubling);
  for (const std::vector<Member>& members : all_layouts()) {
    const auto total = [&](Collective op) {
      return sums_of(expand(id, op, 840'000, members).flows, members.size()).total;
    };
    const auto n = static_cast<double>(members.size());
    CHECK(total(Collective::all_reduce) ==
          Approx(total(Collective::reduce_scatter) + total(Collective::all_gather)).margin(n * n));
  }
}

TEST_CASE("broadcast and reduce, gather and scatter are mirrors of each other") {
  for (const std::vector<Member>& members : all_layouts())
    for (const Algorithm& one : algorithms())
      for (const auto& [down, up] : {std::pair{Collective::broadcast, Collective::reduce},
                                     std::pair{Collective::scatter, Collective::gather}}) {
        CHECK(one.supports(down) == one.supports(up));
        if (!one.supports(down)) continue;
        Expansion there = expand(one.id, down, 840'000, members);
        const Expansion back = expand(one.id, up, 840'000, members);
        CHECK(there.rounds_inside == back.rounds_inside);
        CHECK(there.rounds_across == back.rounds_across);
        for (Flow& flow : there.flows) std::swap(flow.from, flow.to);
        CHECK(sorted(there.flows) == sorted(back.flows));
      }
}

TEST_CASE("unequal counts: blocks reach those who lack them, within n bytes") {
  const std::int64_t bytes = GENERATE(13, 840'001);
  const auto whole = static_cast<double>(bytes);
  for (const std::vector<Member>& members : all_layouts()) {
    const std::size_t n = members.size();
    if (n == 1) continue;
    const std::vector<double> shares = uneven_shares(n);
    const auto margin = static_cast<double>(n);
    for (const Algorithm& one : algorithms())
      for (const Collective op : {Collective::all_gather, Collective::reduce_scatter,
                                  Collective::gather, Collective::scatter}) {
        if (!one.supports(op) || detours(one.id)) continue;
        INFO(base::name_of(one.id) << " " << base::name_of(op) << " " << n);
        const Sums sums = sums_of(expand(one.id, op, bytes, members, shares).flows, n);
        for (std::size_t i = 0; i < n; ++i) {
          const double block = shares[i] * whole;
          if (op == Collective::all_gather)
            REQUIRE(std::abs(sums.received[i] - (whole - block)) <= margin);
          if (op == Collective::reduce_scatter)
            REQUIRE(std::abs(sums.sent[i] - (whole - block)) <= margin);
          // What passes through a member on its way counts in and out.
          const double own = i == 0 ? block - whole : block;
          if (op == Collective::scatter)
            REQUIRE(std::abs(sums.received[i] - sums.sent[i] - own) <= margin);
          if (op == Collective::gather)
            REQUIRE(std::abs(sums.sent[i] - sums.received[i] - own) <= margin);
        }
      }
  }
}

TEST_CASE("all-to-all with unequal counts: rows go out, columns come in, helpers keep nothing") {
  const std::int64_t bytes = 840'001;
  const auto id = GENERATE(Id::direct, Id::rail_aligned, Id::forwarded);
  for (const std::vector<Member>& members : all_layouts()) {
    const std::size_t n = members.size();
    const std::vector<double> shares = uneven_shares(n * n);
    const Sums sums = sums_of(expand(id, Collective::all_to_all, bytes, members, shares).flows, n);
    const auto all = static_cast<double>(bytes) * static_cast<double>(n);
    for (std::size_t i = 0; i < n; ++i) {
      double row = 0;
      double column = 0;
      for (std::size_t j = 0; j < n; ++j) {
        if (i == j) continue;
        row += shares[i * n + j] * all;
        column += shares[j * n + i] * all;
      }
      const auto margin = static_cast<double>(n);
      CHECK(sums.sent[i] - sums.received[i] == Approx(row - column).margin(2 * margin));
      if (id == Id::direct) CHECK(sums.sent[i] == Approx(row).margin(margin));
      CHECK(sums.sent[i] >= row - margin);
      CHECK(sums.received[i] >= column - margin);
    }
  }
}

TEST_CASE("equal shares are equal counts") {
  for (const std::vector<Member>& members : all_layouts())
    for (const Algorithm& one : algorithms())
      for (const Collective op :
           {Collective::all_gather, Collective::reduce_scatter, Collective::gather,
            Collective::scatter, Collective::all_to_all}) {
        if (!one.supports(op)) continue;
        const std::size_t n = members.size();
        const std::size_t count = op == Collective::all_to_all ? n * n : n;
        const std::vector<double> shares(count, 1.0 / static_cast<double>(count));
        // A size whose parts are never near half a byte, where rounding could differ.
        const auto bytes = static_cast<std::int64_t>(n * n) * 27720;
        const Expansion equal = expand(one.id, op, bytes, members);
        CHECK(equal.flows == expand(one.id, op, bytes, members, shares).flows);
      }
}

TEST_CASE("members that do alike send alike, to the byte") {
  // Equal nodes in a circle look alike from each member. Where the exact share ends in half a byte,
  // as the 246,926 / 4 = 61,731.5 that a hop of the hierarchical all-gather over 6 x 4 leaves out,
  // it must not depend on whose sum of rounded blocks it came from.
  const auto [id, op] =
      GENERATE(table<Id, Collective>({{Id::ring, Collective::all_gather},
                                      {Id::pat, Collective::all_gather},
                                      {Id::pat, Collective::reduce_scatter},
                                      {Id::hierarchical, Collective::all_reduce},
                                      {Id::hierarchical, Collective::all_gather},
                                      {Id::hierarchical, Collective::reduce_scatter},
                                      {Id::forwarded, Collective::all_to_all},
                                      {Id::rail_aligned, Collective::all_to_all}}));
  const std::vector<Member> members = nodes_of_size(std::vector<int>(6, 4));
  for (const std::int64_t bytes : {12, 13, 246'926, 3'209'894, 7'160'518, 1'000'000'006}) {
    const Sums sums = sums_of(expand(id, op, bytes, members).flows, members.size());
    for (const double sent : sums.sent) CHECK(sent == sums.sent.front());
    for (const double received : sums.received) CHECK(received == sums.sent.front());
  }
}

TEST_CASE("an expansion grows with its members") {
  // A few flows a member, PAT and the hypercube log2 n of them.
  const std::vector<Member> members = nodes_of_size(std::vector<int>(2048, 8));
  for (const Algorithm& one : algorithms())
    for (const Collective op : operations()) {
      if (!one.supports(op) || one.id == Id::direct || one.id == Id::rail_aligned ||
          one.id == Id::forwarded)
        continue;
      const Expansion made = one.expand({op, base::Bytes::from_gib(1), {}}, members);
      CHECK(made.flows.size() <= 14 * members.size());
    }
}

}  // namespace
}  // namespace sim::collectives
