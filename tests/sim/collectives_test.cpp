// Every algorithm on groups small enough to work out by hand.

#include "sim/collectives/collectives.hpp"

#include "tests/sim/collectives_support.hpp"
#include "tests/support/catch.hpp"

namespace sim::collectives {
namespace {

using Id = CollectiveAlgorithm;

std::pair<int, int> rounds(const Expansion& expansion) {
  return {expansion.rounds_inside, expansion.rounds_across};
}

// Rings -------------------------------------------------------------------------------------------

TEST_CASE("a ring of four passes the bus factor from each to the next") {
  // All-reduce of 4,000 bytes over 4: 2 x 3/4 x 4,000 = 6,000 bytes a hop, 2 x 3 hops in turn.
  const Expansion ring = expand(Id::ring, Collective::all_reduce, 4000, nodes_of_size({4}));
  CHECK(ring.flows == flows_of({{0, 1, 6000}, {1, 2, 6000}, {2, 3, 6000}, {3, 0, 6000}}));
  CHECK(rounds(ring) == std::pair{6, 0});
}

TEST_CASE("a ring over two nodes of two uses both NICs") {
  // All-gather of 8,000 bytes over 4: W = 3/4 x 8,000 = 6,000. Inside a node each member passes
  // W x 1/2 = 3,000 to the other; from node to node W / 2 = 3,000 on each of two rails.
  const Expansion ring = expand(Id::ring, Collective::all_gather, 8000, nodes_of_size({2, 2}));
  CHECK(ring.flows == flows_of({{0, 1, 3000},
                                {1, 0, 3000},
                                {0, 2, 3000},
                                {1, 3, 3000},
                                {2, 3, 3000},
                                {3, 2, 3000},
                                {2, 0, 3000},
                                {3, 1, 3000}}));
  CHECK(rounds(ring) == std::pair{2, 1});
}

TEST_CASE("a ring with unequal counts leaves out the receiver's block, or keeps the sender's") {
  // Blocks of 500, 300 and 200 bytes. All-gather: into 1 goes all but 300, into 2 all but 200, into
  // 0 all but 500. Reduce-scatter: out of 0 all but 500, out of 1 all but 300, out of 2 all but
  // 200.
  const std::vector<double> shares{0.5, 0.3, 0.2};
  const std::vector<Member> members = nodes_of_size({3});
  CHECK(expand(Id::ring, Collective::all_gather, 1000, members, shares).flows ==
        flows_of({{0, 1, 700}, {1, 2, 800}, {2, 0, 500}}));
  CHECK(expand(Id::ring, Collective::reduce_scatter, 1000, members, shares).flows ==
        flows_of({{0, 1, 500}, {1, 2, 700}, {2, 0, 800}}));
}

TEST_CASE("uneven nodes share the larger one's lanes") {
  // Nodes of 3 and 1: W = 2 x 3/4 x 12,000 = 18,000 each way, in three lanes of 6,000; a hop inside
  // serves 2 of 3 rings, 12,000.
  CHECK(expand(Id::ring, Collective::all_reduce, 12000, nodes_of_size({3, 1})).flows ==
        flows_of({{0, 1, 12000},
                  {1, 2, 12000},
                  {2, 0, 12000},
                  {0, 3, 6000},
                  {1, 3, 6000},
                  {2, 3, 6000},
                  {3, 0, 6000},
                  {3, 1, 6000},
                  {3, 2, 6000}}));
  // Nodes of 2 and 3: halves meet thirds in lanes of 1/3, 1/6, 1/6, 1/3. Broadcast of 600: 200,
  // 100, 100, 200; then 2/3 x 600 around the three.
  CHECK(expand(Id::ring, Collective::broadcast, 600, nodes_of_size({2, 3})).flows ==
        flows_of({{0, 1, 600},
                  {0, 2, 200},
                  {0, 3, 100},
                  {1, 3, 100},
                  {1, 4, 200},
                  {2, 3, 400},
                  {3, 4, 400},
                  {4, 2, 400}}));
}

// Trees -------------------------------------------------------------------------------------------

TEST_CASE("the double binary tree of three nodes") {
  // First tree: 0 - 2 - 1. Second one, shifted: 1 - 0 - 2. Each carries 500 of 1,000 bytes up and
  // down. Two hops deep, up and down.
  const Expansion tree = expand(Id::tree, Collective::all_reduce, 1000, nodes_of_size({1, 1, 1}));
  CHECK(tree.flows ==
        flows_of({{0, 1, 500}, {0, 2, 1000}, {1, 0, 500}, {1, 2, 500}, {2, 0, 1000}, {2, 1, 500}}));
  CHECK(rounds(tree) == std::pair{0, 4});
}

TEST_CASE("the double binary tree of two nodes of two") {
  // One tree has node 0 on top, the other node 1; both carry half up and half down, so each node
  // sends 1,000, half of it a rail. Inside, a hop serves the chain of one of two lanes, up and
  // down: 500 + 500 from each to the other.
  const Expansion tree = expand(Id::tree, Collective::all_reduce, 1000, nodes_of_size({2, 2}));
  CHECK(tree.flows == flows_of({{0, 1, 1000},
                                {1, 0, 1000},
                                {2, 3, 1000},
                                {3, 2, 1000},
                                {0, 2, 500},
                                {1, 3, 500},
                                {2, 0, 500},
                                {3, 1, 500}}));
  CHECK(rounds(tree) == std::pair{2, 2});
}

TEST_CASE("a broadcast by trees is fed by the root from outside") {
  // Node 0 feeds two trees over nodes 1, 2 and 3: 1 - 3 - 2, and shifted 2 - 1 - 3.
  const std::vector<Member> members = nodes_of_size({1, 1, 1, 1});
  const Expansion tree = expand(Id::tree, Collective::broadcast, 1000, members);
  CHECK(tree.flows == flows_of({{0, 1, 500}, {0, 2, 500}, {1, 3, 1000}, {2, 1, 500}, {3, 2, 500}}));
  CHECK(rounds(tree) == std::pair{0, 3});
}

TEST_CASE("a binomial tree doubles those who have it") {
  // Five ranks: 0 to 4, then to 2, then to 1 and 2 to 3.
  const Expansion down = expand(Id::binomial_tree, Collective::broadcast, 1000, nodes_of_size({5}));
  CHECK(down.flows == flows_of({{0, 4, 1000}, {0, 2, 1000}, {0, 1, 1000}, {2, 3, 1000}}));
  CHECK(rounds(down) == std::pair{3, 0});
  // Scatter of blocks of 100, 200, 300, 0, 400: to 2 go those of 2 and 3.
  CHECK(expand(Id::binomial_tree, Collective::scatter, 1000, nodes_of_size({5}),
               {0.1, 0.2, 0.3, 0, 0.4})
            .flows == flows_of({{0, 4, 400}, {0, 2, 300}, {0, 1, 200}}));
  // Gather of 1,000 from 4 ranks: 250 from 1, 500 from 2 of which 250 are 3's. On two nodes of two,
  // only the hop of distance 2 crosses.
  const Expansion up = expand(Id::binomial_tree, Collective::gather, 1000, nodes_of_size({2, 2}));
  CHECK(up.flows == flows_of({{1, 0, 250}, {2, 0, 500}, {3, 2, 250}}));
  CHECK(rounds(up) == std::pair{1, 1});
}

// Reduction in switches ---------------------------------------------------------------------------

TEST_CASE("CollNet sends a node's sum up once and gets it once") {
  // Direct, two nodes of two, 1,000 bytes: 500 to the other to be summed and 500 of the sum back;
  // 1,000 out of each node and in, half a rail.
  const std::vector<Member> members = nodes_of_size({2, 2});
  const std::vector<Flow> flows = flows_of({{0, 1, 1000},
                                            {1, 0, 1000},
                                            {2, 3, 1000},
                                            {3, 2, 1000},
                                            {0, 2, 500},
                                            {1, 3, 500},
                                            {2, 0, 500},
                                            {3, 1, 500}});
  const Expansion direct = expand(Id::collnet_direct, Collective::all_reduce, 1000, members);
  CHECK(direct.flows == flows);
  CHECK(rounds(direct) == std::pair{2, 1});
  // In chains of two the same goes up and down.
  const Expansion chain = expand(Id::collnet_chain, Collective::all_reduce, 1000, members);
  CHECK(chain.flows == flows);
  CHECK(rounds(chain) == std::pair{2, 1});
  // Three nodes of one: each 1,000 up and 1,000 down, the next node standing for the switch.
  CHECK(expand(Id::collnet_chain, Collective::all_reduce, 1000, nodes_of_size({1, 1, 1})).flows ==
        flows_of({{0, 1, 1000}, {1, 2, 1000}, {2, 0, 1000}}));
}

TEST_CASE("chains and direct exchange differ from three members on") {
  // 900 bytes, one node of three. Direct: 300 to each of two and 300 of the sum back. Chain: a hop
  // serves 2 of 3 lanes, 600 up one way and 600 down the other.
  CHECK(expand(Id::collnet_direct, Collective::all_reduce, 900, nodes_of_size({3})).flows ==
        flows_of({{0, 1, 600}, {0, 2, 600}, {1, 0, 600}, {1, 2, 600}, {2, 0, 600}, {2, 1, 600}}));
  const Expansion chain =
      expand(Id::collnet_chain, Collective::all_reduce, 900, nodes_of_size({3}));
  CHECK(chain.flows ==
        flows_of({{0, 1, 600}, {0, 2, 600}, {1, 0, 600}, {1, 2, 600}, {2, 0, 600}, {2, 1, 600}}));
  CHECK(rounds(chain) == std::pair{4, 0});
}

TEST_CASE("NVLS puts the buffer and a share through each port") {
  // Four members, 1,000 bytes: the switch reads 1,000 from each and writes 1,000 to each; each
  // member reads its 250 of the sum and writes them back.
  const Expansion inside = expand(Id::nvls, Collective::all_reduce, 1000, nodes_of_size({4}));
  CHECK(inside.flows == flows_of({{0, 1, 1250}, {1, 2, 1250}, {2, 3, 1250}, {3, 0, 1250}}));
  CHECK(rounds(inside) == std::pair{2, 0});
  // All-gather over two nodes of two: 1,000 into each port; 500 into each node, 250 a rail.
  const Expansion gather = expand(Id::nvls, Collective::all_gather, 1000, nodes_of_size({2, 2}));
  CHECK(gather.flows == flows_of({{0, 1, 1000},
                                  {1, 0, 1000},
                                  {2, 3, 1000},
                                  {3, 2, 1000},
                                  {0, 2, 250},
                                  {1, 3, 250},
                                  {2, 0, 250},
                                  {3, 1, 250}}));
  CHECK(rounds(gather) == std::pair{1, 1});
}

TEST_CASE("NVLS across nodes: by a network that adds, or by trees") {
  // Nodes of two and one, 1,000 bytes: 1,500 through the ports of the two. Across 1,000 up and
  // down; by trees 500 up and 500 down in each direction, which is the same for two nodes.
  const std::vector<Member> members = nodes_of_size({2, 1});
  const std::vector<Flow> flows =
      flows_of({{0, 1, 1500}, {1, 0, 1500}, {0, 2, 500}, {1, 2, 500}, {2, 0, 500}, {2, 1, 500}});
  CHECK(expand(Id::nvls, Collective::all_reduce, 1000, members).flows == flows);
  const Expansion tree = expand(Id::nvls_tree, Collective::all_reduce, 1000, members);
  CHECK(tree.flows == flows);
  CHECK(rounds(tree) == std::pair{2, 2});
  // Three nodes of one: no switch, the trees 0 - 2 - 1 and 1 - 0 - 2.
  CHECK(expand(Id::nvls_tree, Collective::all_reduce, 1000, nodes_of_size({1, 1, 1})).flows ==
        expand(Id::tree, Collective::all_reduce, 1000, nodes_of_size({1, 1, 1})).flows);
}

// Logarithmic rounds ------------------------------------------------------------------------------

TEST_CASE("parallel aggregated trees send far little and near much") {
  // Four members, blocks of 100: first the own block to the one two on; then that and the own one
  // to the next. 300 out of each, as in a ring.
  const Expansion pat = expand(Id::pat, Collective::all_gather, 400, nodes_of_size({2, 2}));
  CHECK(pat.flows == flows_of({{0, 1, 200},
                               {1, 2, 200},
                               {2, 3, 200},
                               {3, 0, 200},
                               {0, 2, 100},
                               {1, 3, 100},
                               {2, 0, 100},
                               {3, 1, 100}}));
  CHECK(rounds(pat) == std::pair{0, 2});  // each distance crosses somewhere
  // Three with blocks of 500, 300, 200: to the one two on the own block, to the next the own one
  // only, for the one that came last has been there.
  CHECK(expand(Id::pat, Collective::all_gather, 1000, nodes_of_size({3}), {0.5, 0.3, 0.2}).flows ==
        flows_of({{0, 2, 500}, {1, 0, 300}, {2, 1, 200}, {0, 1, 500}, {1, 2, 300}, {2, 0, 200}}));
}

TEST_CASE("Rabenseifner exchanges halves with the neighbour, quarters with the next but one") {
  // Four members, 1,000 bytes: 500 and back with distance 1, 250 and back with distance 2.
  const Expansion cube =
      expand(Id::recursive_doubling, Collective::all_reduce, 1000, nodes_of_size({2, 2}));
  CHECK(cube.flows == flows_of({{0, 1, 1000},
                                {1, 0, 1000},
                                {2, 3, 1000},
                                {3, 2, 1000},
                                {0, 2, 500},
                                {1, 3, 500},
                                {2, 0, 500},
                                {3, 1, 500}}));
  CHECK(rounds(cube) == std::pair{2, 2});
  // Three: 0 folds into 1 with all, 1 and 2 exchange halves twice, 0 gets all.
  const Expansion folded =
      expand(Id::recursive_doubling, Collective::all_reduce, 1000, nodes_of_size({3}));
  CHECK(folded.flows == flows_of({{0, 1, 1000}, {1, 0, 1000}, {1, 2, 1000}, {2, 1, 1000}}));
  CHECK(rounds(folded) == std::pair{4, 0});
}

TEST_CASE("recursive doubling gathers blocks, folded ones first and last") {
  // Blocks of 500, 300, 200. 0 gives its 500 to 1; 1 and 2 exchange 800 and 200; 1 gives 0 the 500
  // that it lacks. Reduce-scatter is the mirror.
  const std::vector<double> shares{0.5, 0.3, 0.2};
  CHECK(expand(Id::recursive_doubling, Collective::all_gather, 1000, nodes_of_size({3}), shares)
            .flows == flows_of({{0, 1, 500}, {1, 2, 800}, {2, 1, 200}, {1, 0, 500}}));
  CHECK(expand(Id::recursive_doubling, Collective::reduce_scatter, 1000, nodes_of_size({3}), shares)
            .flows == flows_of({{1, 0, 500}, {2, 1, 800}, {1, 2, 200}, {0, 1, 500}}));
}

TEST_CASE("a barrier is all latency") {
  // Dissemination over 5: distances 1, 2, 4. In two nodes each of them crosses.
  const Expansion inside =
      expand(Id::recursive_doubling, Collective::barrier, 0, nodes_of_size({5}));
  CHECK(inside.flows.empty());
  CHECK(rounds(inside) == std::pair{3, 0});
  CHECK(rounds(expand(Id::recursive_doubling, Collective::barrier, 0, nodes_of_size({3, 2}))) ==
        std::pair{0, 3});
  // Up in a node of 3: two rounds; among two nodes: one; down: two.
  CHECK(rounds(expand(Id::hierarchical, Collective::barrier, 0, nodes_of_size({3, 2}))) ==
        std::pair{4, 1});
}

// In the node, then across ------------------------------------------------------------------------

TEST_CASE("a hierarchical all-reduce crosses with a share a rail") {
  // Two nodes of two, 1,000 bytes: halves are scattered and gathered inside, 500 + 500 each way; on
  // each rail 500 are all-reduced by two, 2 x 1/2 x 500 each way.
  const Expansion two =
      expand(Id::hierarchical, Collective::all_reduce, 1000, nodes_of_size({2, 2}));
  CHECK(two.flows == flows_of({{0, 1, 1000},
                               {1, 0, 1000},
                               {2, 3, 1000},
                               {3, 2, 1000},
                               {0, 2, 500},
                               {1, 3, 500},
                               {2, 0, 500},
                               {3, 1, 500}}));
  CHECK(rounds(two) == std::pair{2, 2});
}

TEST_CASE("a hierarchical all-gather takes blocks around on their own rail") {
  // Blocks of 100, 200, 300, 400 in two nodes of two. Across, on rail 0: 100 and 300; on rail 1:
  // 200 and 400. Inside, 0 serves 100 + 300, 1 serves 200 + 400, and so do 2 and 3.
  const std::vector<double> shares{0.1, 0.2, 0.3, 0.4};
  CHECK(
      expand(Id::hierarchical, Collective::all_gather, 1000, nodes_of_size({2, 2}), shares).flows ==
      flows_of({{0, 2, 100},
                {2, 0, 300},
                {1, 3, 200},
                {3, 1, 400},
                {0, 1, 400},
                {1, 0, 600},
                {2, 3, 400},
                {3, 2, 600}}));
}

TEST_CASE("a hierarchical broadcast doubles the nodes that have it") {
  // Four nodes of one: 0 to 2 and 1, 1 to 3's like: the parent of 3 is 2.
  const Expansion four =
      expand(Id::hierarchical, Collective::broadcast, 1000, nodes_of_size({1, 1, 1, 1}));
  CHECK(four.flows == flows_of({{0, 2, 1000}, {0, 1, 1000}, {2, 3, 1000}}));
  CHECK(rounds(four) == std::pair{0, 2});
}

// Straight and with a helper ----------------------------------------------------------------------

TEST_CASE("an exchange sends the message to the next member") {
  const Expansion pair = expand(Id::direct, Collective::send_receive, 500, nodes_of_size({1, 1}));
  CHECK(pair.flows == flows_of({{0, 1, 500}, {1, 0, 500}}));
  CHECK(rounds(pair) == std::pair{0, 1});
}

TEST_CASE("direct sends each what it needs") {
  const std::vector<Member> three = nodes_of_size({3});
  // All-to-all of 900 a member: 300 to each.
  CHECK(expand(Id::direct, Collective::all_to_all, 900, three).flows ==
        flows_of({{0, 1, 300}, {0, 2, 300}, {1, 0, 300}, {1, 2, 300}, {2, 0, 300}, {2, 1, 300}}));
  // Of 1,500 in all (500 a member), 0.4 from 0 to 1, 0.2 from 2 to 0, the rest stays with 1.
  CHECK(expand(Id::direct, Collective::all_to_all, 500, three, {0, 0.4, 0, 0, 0.4, 0, 0.2, 0, 0})
            .flows == flows_of({{0, 1, 600}, {2, 0, 300}}));
  // Blocks of 500, 300, 200: the own one to all; each the other's own; from and to the root.
  const std::vector<double> shares{0.5, 0.3, 0.2};
  CHECK(expand(Id::direct, Collective::all_gather, 1000, three, shares).flows ==
        flows_of({{0, 1, 500}, {0, 2, 500}, {1, 0, 300}, {1, 2, 300}, {2, 0, 200}, {2, 1, 200}}));
  CHECK(expand(Id::direct, Collective::reduce_scatter, 1000, three, shares).flows ==
        flows_of({{1, 0, 500}, {2, 0, 500}, {0, 1, 300}, {2, 1, 300}, {0, 2, 200}, {1, 2, 200}}));
  CHECK(expand(Id::direct, Collective::gather, 1000, three, shares).flows ==
        flows_of({{1, 0, 300}, {2, 0, 200}}));
  CHECK(expand(Id::direct, Collective::scatter, 1000, three, shares).flows ==
        flows_of({{0, 1, 300}, {0, 2, 200}}));
  CHECK(expand(Id::direct, Collective::broadcast, 1000, three).flows ==
        flows_of({{0, 1, 1000}, {0, 2, 1000}}));
  CHECK(expand(Id::direct, Collective::reduce, 1000, three).flows ==
        flows_of({{1, 0, 1000}, {2, 0, 1000}}));
}

TEST_CASE("rail-aligned all-to-all changes rails inside the node") {
  // Two nodes of two, 400 a member, 100 to each. 0 sends 100 to 2 on its rail; its 100 for 3 go to
  // 1 first and with 1's own 100 to 3 on rail 1. From 0 to 1: 100 of its own and 100 to hand on.
  const Expansion rails =
      expand(Id::rail_aligned, Collective::all_to_all, 400, nodes_of_size({2, 2}));
  CHECK(sorted(rails.flows) == flows_of({{0, 1, 200},
                                         {1, 0, 200},
                                         {2, 3, 200},
                                         {3, 2, 200},
                                         {0, 2, 200},
                                         {1, 3, 200},
                                         {2, 0, 200},
                                         {3, 1, 200}}));
  CHECK(rounds(rails) == std::pair{1, 1});
  // Nodes of two and one: 0 and 1 send to 2 on rail 0, 1 by way of 0; 2 has nobody on rail 1 and
  // sends to 1 itself.
  CHECK(
      sorted(expand(Id::rail_aligned, Collective::all_to_all, 300, nodes_of_size({2, 1})).flows) ==
      flows_of({{0, 1, 100}, {1, 0, 200}, {0, 2, 200}, {2, 0, 100}, {2, 1, 100}}));
}

TEST_CASE("forwarded all-to-all sends one message to each other node") {
  // Nodes of two and two, 400 a member: 0 sends 200 to 2, who hands 100 on to 3.
  const Expansion even = expand(Id::forwarded, Collective::all_to_all, 400, nodes_of_size({2, 2}));
  CHECK(sorted(even.flows) == flows_of({{0, 1, 200},
                                        {1, 0, 200},
                                        {2, 3, 200},
                                        {3, 2, 200},
                                        {0, 2, 200},
                                        {1, 3, 200},
                                        {2, 0, 200},
                                        {3, 1, 200}}));
  CHECK(rounds(even) == std::pair{1, 1});
  // Nodes of two and one: 0 and 1 send to 2; 2 sends 200 to 0, who hands 100 on to 1.
  CHECK(sorted(expand(Id::forwarded, Collective::all_to_all, 300, nodes_of_size({2, 1})).flows) ==
        flows_of({{0, 1, 200}, {1, 0, 100}, {0, 2, 100}, {1, 2, 100}, {2, 0, 200}}));
}

}  // namespace
}  // namespace sim::collectives
