#include <cmath>
#include <string>
#include <vector>

#include "calibrate/nccl/tuning.hpp"
#include "tests/calibrate/nccl_golden.hpp"
#include "tests/calibrate/support.hpp"

// Golden values were printed by the tuning unit of NCCL 2.28.9 itself (src/graph/tuning.cc, built
// with a few stubs) for these graphs; they have three to five digits.

namespace calibrate::nccl {
namespace {

using Algorithm = CollectiveAlgorithm;

struct Price {
  double latency_us;
  double gbyte;
};

void check(const Table& table, Algorithm algorithm, Protocol protocol, const Price& want) {
  const Estimate& got = table.at(index_of(algorithm)).at(index_of(protocol));
  INFO(base::name_of(algorithm) << " " << base::name_of(protocol));
  CHECK(got.enabled);
  CHECK(got.latency_us == Approx(want.latency_us).epsilon(0.001));
  CHECK(got.bandwidth_gbyte == Approx(want.gbyte).epsilon(0.001));
}

constexpr Price none{0, 0};

TEST_CASE("golden prices of NCCL 2.28: all-reduce") {
  struct Row {
    char name;
    std::array<Price, 3> tree;
    std::array<Price, 3> ring;
    Price nvls;
  };
  const Row row = GENERATE(values<Row>({
      {'A',
       {{{15.2, 43.579}, {31.5, 128.8}, {64.4, 165.6}}},
       {{{15, 80.571}, {40.6, 189.26}, {56, 205.71}}},
       {25, 272}},
      {'B',
       {{{15.2, 29.053}, {31.5, 85.867}, {64.4, 110.4}}},
       {{{15, 50.114}, {40.6, 126.17}, {56, 137.14}}},
       none},
      {'C',
       {{{15.2, 87.158}, {31.5, 257.6}, {64.4, 331.2}}},
       {{{15, 161.14}, {40.6, 378.51}, {56, 411.43}}},
       {25, 411.43}},
      {'D',
       {{{25.2, 19.5}, {48.5, 146.8}, {92.4, 165.6}}},
       {{{40, 20.8}, {75.2, 156.59}, {131.6, 204.8}}},
       {66.8, 246.19}},
      {'E',
       {{{35.2, 10.2}, {65.5, 116}, {120.4, 144}}},
       {{{78.8, 10.529}, {144.4, 151.54}, {282.8, 198.19}}},
       {108.6, 187.87}},
      {'F',
       {{{55.2, 10.2}, {99.5, 116}, {176.4, 144}}},
       {{{311.6, 10.28}, {559.6, 147.96}, {1190, 193.51}}},
       {192.2, 183.43}},
      {'G',
       {{{85.2, 10.2}, {150.5, 116}, {260.4, 144}}},
       {{{2484, 10.21}, {4435, 146.94}, {9657, 192.19}}},
       {317.6, 182.18}},
      {'H',
       {{{35.2, 9.5}, {65.5, 66.75}, {120.4, 71.2}}},
       {{{134.8, 9.8065}, {150, 82.581}, {428.4, 99.097}}},
       none},
      {'I',
       {{{26.8, 1.2347}, {48, 4.3988}, {64.4, 4.692}}},
       {{{36.6, 4}, {65, 7.36}, {92.4, 8}}},
       none},
  }));
  INFO(row.name);
  const Communicator c = golden(row.name);
  const Table table = make_table(c, Collective::all_reduce);
  for (std::size_t p = 0; p < protocols.size(); ++p) {
    check(table, Algorithm::tree, protocols.at(p), row.tree.at(p));
    check(table, Algorithm::ring, protocols.at(p), row.ring.at(p));
  }
  const Algorithm in_switch = c.nodes == 1 ? Algorithm::nvls : Algorithm::nvls_tree;
  const Algorithm other = c.nodes == 1 ? Algorithm::nvls_tree : Algorithm::nvls;
  if (row.nvls.gbyte > 0) check(table, in_switch, Protocol::simple, row.nvls);
  CHECK(table.at(index_of(in_switch)).at(2).enabled == (row.nvls.gbyte > 0));
  CHECK_FALSE(table.at(index_of(other)).at(2).enabled);
  CHECK_FALSE(table.at(index_of(Algorithm::pat)).at(2).enabled);
}

TEST_CASE("golden prices of NCCL 2.28: all-gather, reduce-scatter, broadcast, reduce") {
  struct Row {
    char name;
    std::array<Price, 3> gather;
    Algorithm other;
    Price other_price;
    std::array<Price, 3> broadcast;
  };
  const Row row = GENERATE(values<Row>({
      {'A',
       {{{10.8, 161.14}, {27.3, 378.51}, {32.2, 411.43}}},
       Algorithm::nvls,
       {25, 208.25},
       {{{7.2, 141}, {15.9, 331.2}, {11.8, 360}}}},
      {'B',
       {{{10.8, 100.23}, {27.3, 252.34}, {32.2, 274.29}}},
       Algorithm::nvls,
       none,
       {{{7.2, 87.7}, {15.9, 220.8}, {11.8, 240}}}},
      {'C',
       {{{10.8, 322.29}, {27.3, 757.03}, {32.2, 822.86}}},
       Algorithm::nvls,
       {25, 362.6},
       {{{7.2, 282}, {15.9, 662.4}, {11.8, 720}}}},
      {'D',
       {{{23.3, 41.6}, {44.6, 313.17}, {70, 409.6}}},
       Algorithm::nvls,
       none,
       {{{9.3, 39}, {18, 293.6}, {22.4, 384}}}},
      {'E',
       {{{42.7, 21.058}, {79.2, 303.07}, {145.6, 396.39}}},
       Algorithm::nvls,
       none,
       {{{9.3, 20.4}, {18, 293.6}, {22.4, 384}}}},
      {'F',
       {{{159.1, 20.561}, {286.8, 295.91}, {599.2, 387.02}}},
       Algorithm::nvls,
       none,
       {{{9.3, 20.4}, {18, 293.6}, {22.4, 384}}}},
      {'G',
       {{{1246, 20.42}, {2224, 293.89}, {4833, 384.38}}},
       Algorithm::nvls,
       none,
       {{{9.3, 20.4}, {18, 293.6}, {22.4, 384}}}},
      {'H',
       {{{70.7, 19.613}, {82, 165.16}, {218.4, 198.19}}},
       Algorithm::nvls,
       none,
       {{{9.3, 19}, {18, 160}, {22.4, 192}}}},
      {'I',
       {{{21.6, 8}, {39.5, 14.72}, {50.4, 16}}},
       Algorithm::pat,
       {27.2, 9},
       {{{9.3, 6}, {18, 11.04}, {22.4, 12}}}},
  }));
  INFO(row.name);
  const Communicator c = golden(row.name);
  for (const Collective op : {Collective::all_gather, Collective::reduce_scatter}) {
    const Table table = make_table(c, op);
    for (std::size_t p = 0; p < protocols.size(); ++p)
      check(table, Algorithm::ring, protocols.at(p), row.gather.at(p));
    if (row.other_price.gbyte > 0)
      check(table, row.other, Protocol::simple, row.other_price);
    else
      CHECK_FALSE(table.at(index_of(row.other)).at(2).enabled);
    CHECK_FALSE(table.at(index_of(Algorithm::tree)).at(2).enabled);
  }
  for (const Collective op : {Collective::broadcast, Collective::reduce}) {
    const Table table = make_table(c, op);
    for (std::size_t p = 0; p < protocols.size(); ++p)
      check(table, Algorithm::ring, protocols.at(p), row.broadcast.at(p));
  }
}

struct Switch {
  int power;  // of two: bytes from which on it wins
  Algorithm algorithm;
  Protocol protocol;
};

void check_choices(const Communicator& c, Collective op, const Selection& selection,
                   const std::vector<Switch>& switches, const std::array<double, 4>& times) {
  const Table table = make_table(c, op, selection);
  std::size_t at = 0;
  for (int power = 10; power <= 34; ++power) {
    if (at + 1 < switches.size() && power >= switches[at + 1].power) ++at;
    const Choice choice = choose(c, op, table, std::ldexp(1.0, power));
    INFO("2^" << power << " " << base::name_of(choice.algorithm) << " "
              << base::name_of(choice.protocol));
    CHECK(choice.algorithm == switches[at].algorithm);
    CHECK(choice.protocol == switches[at].protocol);
  }
  CHECK(at + 1 == switches.size());
  const std::array powers{20, 24, 28, 30};
  for (std::size_t i = 0; i < powers.size(); ++i)
    CHECK(choose(c, op, table, std::ldexp(1.0, powers.at(i))).time_us ==
          Approx(times.at(i)).epsilon(0.001).margin(0.05));  // printed with one decimal
}

constexpr int kib = 10;
constexpr int mib = 20;
constexpr int gib = 30;
const Switch ring_ll{0, Algorithm::ring, Protocol::ll};
const Switch tree_ll{0, Algorithm::tree, Protocol::ll};
Switch ring_ll128(int power) { return {power, Algorithm::ring, Protocol::ll128}; }
Switch tree_ll128(int power) { return {power, Algorithm::tree, Protocol::ll128}; }
Switch ring_simple(int power) { return {power, Algorithm::ring, Protocol::simple}; }
Switch nvls(int power) { return {power, Algorithm::nvls, Protocol::simple}; }
Switch nvls_tree(int power) { return {power, Algorithm::nvls_tree, Protocol::simple}; }

TEST_CASE("golden choices of NCCL 2.28: all-reduce") {
  struct Row {
    char name;
    std::vector<Switch> switches;
    std::array<double, 4> times;
  };
  const Row row = GENERATE(values<Row>({
      {'A', {ring_ll, nvls(mib + 1)}, {28.0, 86.7, 1011.9, 3972.6}},
      {'B', {ring_ll, ring_ll128(mib + 2), ring_simple(mib + 5)}, {35.9, 173.6, 2013.3, 7885.4}},
      {'C', {ring_ll, nvls(mib + 2)}, {21.5, 65.8, 677.4, 2634.8}},
      {'D', {tree_ll, tree_ll128(kib + 8), nvls_tree(mib + 2)}, {60.4, 134.9, 1157.2, 4428.3}},
      {'E',
       {tree_ll, tree_ll128(kib + 8), nvls_tree(mib + 4), ring_simple(gib)},
       {80.6, 197.9, 1537.4, 5813.6}},
      {'F',
       {tree_ll, tree_ll128(kib + 8), nvls_tree(mib + 5), ring_simple(gib + 3)},
       {114.6, 260.2, 1655.6, 6045.8}},
      {'G', {tree_ll, tree_ll128(kib + 9), nvls_tree(mib + 6)}, {165.6, 311.2, 1791.1, 6211.5}},
      {'H',
       {tree_ll, tree_ll128(kib + 8), ring_ll128(mib + 5), ring_simple(mib + 8)},
       {91.7, 344.8, 3308.6, 11435}},
      {'I',
       {tree_ll, ring_ll, ring_ll128(kib + 8), ring_simple(mib + 3)},
       {207.5, 2226.5, 33683.8, 134347}},
  }));
  INFO(row.name);
  std::vector<Switch> switches = row.switches;
  if (row.name == 'I') switches[1].power = kib + 4;
  check_choices(golden(row.name), Collective::all_reduce, {}, switches, row.times);
}

TEST_CASE("golden choices of NCCL 2.28: eight H100 with NVLS off") {
  Selection selection;
  selection.algorithms.at(index_of(Algorithm::nvls)) = false;
  check_choices(golden('A'), Collective::all_reduce, selection,
                {ring_ll, ring_ll128(mib + 2), ring_simple(mib + 6)},
                {28.0, 129.2, 1360.9, 5275.6});
  check_choices(golden('A'), Collective::all_gather, selection,
                {ring_ll, ring_ll128(mib + 3), ring_simple(mib + 5)}, {17.3, 71.6, 684.6, 2642.0});
}

TEST_CASE("golden choices of NCCL 2.28: all-gather") {
  struct Row {
    char name;
    int ll128;
    int simple;
    std::array<double, 4> times;
  };
  const Row row = GENERATE(values<Row>({
      {'A', mib + 3, mib + 5, {17.3, 71.6, 684.6, 2642.0}},
      {'B', mib + 2, mib + 4, {21.3, 93.4, 1010.9, 3946.9}},
      {'C', mib + 4, mib + 6, {14.1, 49.5, 358.4, 1337.1}},
      {'D', mib, mib + 6, {47.9, 98.2, 725.4, 2691.4}},
      {'E', mib, mib + 7, {82.7, 134.6, 822.8, 2854.4}},
      {'F', mib + 2, mib + 9, {210.1, 343.5, 1193.9, 3373.6}},
      {'G', mib + 5, gib + 2, {1296.9, 2067.1, 3137.8, 5878.0}},
      {'H', kib + 8, mib + 8, {88.3, 183.6, 1572.8, 5636.0}},
      {'I', kib + 9, mib + 1, {110.7, 1099.0, 16827.6, 67159.3}},
  }));
  INFO(row.name);
  check_choices(golden(row.name), Collective::all_gather, {},
                {ring_ll, ring_ll128(row.ll128), ring_simple(row.simple)}, row.times);
}

TEST_CASE("the price of the model at 1 GiB is near published ones") {
  // NCCL issue 1506: all-reduce on 8 H100 with NVLS at about 470 GB/s of bus bandwidth.
  const Communicator c = golden('A');
  const Table table = make_table(c, Collective::all_reduce);
  const double us = choose(c, Collective::all_reduce, table, std::ldexp(1.0, 30)).time_us;
  CHECK(std::ldexp(1.0, 30) / us * 1e-3 * 2 * 7 / 8 == Approx(473).epsilon(0.01));
}

TEST_CASE("the choice is the first of the fastest") {
  for (const char name : std::string("ABCDEFGHI")) {
    const Communicator c = golden(name);
    for (const Collective op : {Collective::all_reduce, Collective::all_gather,
                                Collective::reduce_scatter, Collective::broadcast}) {
      const Table table = make_table(c, op);
      for (double bytes = 1; bytes < 1e11; bytes *= 1.7) {
        const Choice choice = choose(c, op, table, bytes);
        bool before = true;
        for (std::size_t a = 0; a < algorithms.size(); ++a)
          for (std::size_t p = 0; p < protocols.size(); ++p) {
            const double time = time_us(c, op, table, a, p, bytes);
            if (algorithms.at(a) == choice.algorithm && protocols.at(p) == choice.protocol) {
              CHECK(time == choice.time_us);
              before = false;
            } else {
              CHECK((before ? time > choice.time_us : time >= choice.time_us));
            }
          }
        CHECK_FALSE(before);
        CHECK(choice.latency_us > 0);
        CHECK(choice.latency_us < choice.time_us);
      }
    }
  }
}

TEST_CASE("LL128 is used where the machine is trusted with it") {
  const auto enabled = [](const Communicator& c) {
    return make_table(c, Collective::all_gather).at(index_of(Algorithm::ring)).at(1).enabled;
  };
  Communicator c = golden('D');
  CHECK(enabled(c));
  c.graphs.ring.type_inter = topology::NcclPath::pxn;
  CHECK(enabled(c));
  c.ll128_c2c = false;
  CHECK_FALSE(enabled(c));
  c = golden('H');
  c.graphs.ring.type_inter = topology::NcclPath::pxn;  // trusted from Hopper on
  CHECK_FALSE(enabled(c));
  c = golden('D');
  c.same_capability = false;
  CHECK_FALSE(enabled(c));
  c = golden('D');
  c.graphs.ring.type_intra = topology::NcclPath::phb;
  CHECK_FALSE(enabled(c));
  Selection forced;
  forced.protocols = {Allowed::no, Allowed::yes, Allowed::no};
  CHECK(make_table(c, Collective::all_gather, forced).at(index_of(Algorithm::ring)).at(1).enabled);
}

TEST_CASE("reduction in the network needs CollNet") {
  Communicator c = golden('D');
  c.graphs.collnet_direct = graph(topology::NcclPattern::collnet_direct, 8, 40, 48);
  c.graphs.collnet_chain = graph(topology::NcclPattern::tree, 8, 48, 48);
  const auto enabled = [&](Algorithm algorithm) {
    return make_table(c, Collective::all_reduce).at(index_of(algorithm)).at(2).enabled;
  };
  CHECK_FALSE(enabled(Algorithm::collnet_direct));
  CHECK_FALSE(enabled(Algorithm::nvls));
  c.collnet = true;
  CHECK(enabled(Algorithm::collnet_chain));
  CHECK(enabled(Algorithm::nvls));
  // 8 GPUs on 8 channels: factor 1, 8 * 40 / 1 * 0.85 * 0.5 = 136 GB/s;
  // 2 * (1 * 3.7 + 0.4 * 7) + 31 = 44 us.
  check(make_table(c, Collective::all_reduce), Algorithm::collnet_direct, Protocol::simple,
        {44, 136});
  // 8 * min(40, 0.9 * 48) = 320 GB/s.
  check(make_table(c, Collective::all_gather), Algorithm::collnet_direct, Protocol::simple,
        {44, 320});
  c.nvswitch = false;
  CHECK_FALSE(enabled(Algorithm::collnet_direct));
}

TEST_CASE("versions differ where their release changed a constant, and nowhere else") {
  for (const char name : std::string("ABDEFGHI")) {  // no Blackwell
    Communicator c = golden(name);
    const Table old = make_table(c, Collective::all_reduce);
    c.version = latest;
    const Table now = make_table(c, Collective::all_reduce);
    for (std::size_t a = 0; a < algorithms.size(); ++a)
      for (std::size_t p = 0; p < protocols.size(); ++p)
        CHECK(old.at(a).at(p).bandwidth_gbyte == now.at(a).at(p).bandwidth_gbyte);
  }
  const auto blackwell = [](Version version, int nodes) {
    Communicator c = golden('C');
    c.nodes = nodes;
    c.ranks = 8 * nodes;
    c.version = version;
    return c;
  };
  const auto bandwidth = [](const Communicator& c, Algorithm algorithm, std::size_t protocol) {
    return make_table(c, Collective::all_reduce)
        .at(index_of(algorithm))
        .at(protocol)
        .bandwidth_gbyte;
  };
  // Ring LL128 over 16 channels: 0.92 * 720 = 662.4 against 16 * 73.4, 16 * 40 from 2.29 on.
  CHECK(bandwidth(blackwell(Version::v2_28, 1), Algorithm::ring, 1) == Approx(662.4 * 8 / 14));
  CHECK(bandwidth(blackwell(Version::v2_29, 1), Algorithm::ring, 1) == Approx(640. * 8 / 14));
  // NVLS tree on 4 nodes of 8 channels: 43.8 a channel, 80 from 2.30 on.
  CHECK(bandwidth(blackwell(Version::v2_29, 4), Algorithm::nvls_tree, 2) ==
        Approx(8 * 43.8 * 32 / 62));
  CHECK(bandwidth(blackwell(Version::v2_30, 4), Algorithm::nvls_tree, 2) ==
        Approx(8. * 80 * 32 / 62));

  // 2.29 corrects 512 MiB by a 24th value, and the NVLS tree of Blackwell like a tree.
  const auto time = [](const Communicator& c, Algorithm algorithm, double bytes) {
    const Table table = make_table(c, Collective::all_reduce);
    return time_us(c, Collective::all_reduce, table, index_of(algorithm), 2, bytes);
  };
  Communicator c = golden('A');
  const double bytes = std::ldexp(1.0, 29);
  CHECK(time(c, Algorithm::tree, bytes) == Approx(64.4 + bytes / 165600));
  c.version = Version::v2_29;
  CHECK(time(c, Algorithm::tree, bytes) == Approx(64.4 + bytes / (165600 * 0.9)));
  const double small = std::ldexp(1.0, 20);  // 64 B * 2^14: 0.5
  const double whole = time(blackwell(Version::v2_28, 4), Algorithm::nvls_tree, small);
  const double halved = time(blackwell(Version::v2_29, 4), Algorithm::nvls_tree, small);
  const double wire = small / (1000 * 8 * 43.8 * 32 / 62);
  CHECK(halved - whole == Approx(wire));
}

TEST_CASE("a version is known or the mistake says which are") {
  CHECK(version_of("2.28").value() == Version::v2_28);
  CHECK(version_of("2.29.7").value() == Version::v2_29);
  CHECK(name_of(version_of("2.30").value()) == "2.30");
  for (const char* text : {"2.27", "2.280", "2.28.", "2.28.x", "", "3"}) {
    INFO(text);
    REQUIRE_FALSE(version_of(text));
  }
  CHECK(version_of("2.19.3").error().front().format() ==
        "foreshard: error: no constants of NCCL '2.19.3' (known: 2.28, 2.29, 2.30)");
}

}  // namespace
}  // namespace calibrate::nccl
