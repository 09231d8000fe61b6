#include <cmath>
#include <string>

#include "calibrate/nccl/overrides.hpp"
#include "tests/calibrate/nccl_golden.hpp"
#include "tests/calibrate/support.hpp"

namespace calibrate::nccl {
namespace {

using Algorithm = CollectiveAlgorithm;

Selection selected(std::string_view algorithms_text, std::string_view protocols_text,
                   Collective op = Collective::all_reduce) {
  const auto overrides = read_overrides(algorithms_text, protocols_text);
  INFO((overrides ? "" : text_of(overrides.error())));
  REQUIRE(overrides);
  return overrides->of(op);
}

TEST_CASE("overrides select as NCCL_ALGO and NCCL_PROTO do") {
  CHECK(read_overrides("", "").value() == Overrides{});
  const Selection both = selected("ring,TREE", "simple");
  CHECK(both.algorithms == std::array{true, true, false, false, false, false, false});
  CHECK(both.protocols == std::array{Allowed::no, Allowed::no, Allowed::yes});
  const Selection without = selected("^NvlsTree", "^LL");
  CHECK(without.algorithms == std::array{true, true, true, true, true, false, true});
  CHECK(without.protocols == std::array{Allowed::no, Allowed::yes, Allowed::yes});
  // The first entry is for all functions, the others for their own.
  const std::string text = "ring;allreduce:tree,nvls;AllGather:^pat";
  CHECK(selected(text, "").algorithms == std::array{true, false, false, false, true, false, false});
  CHECK(selected(text, "", Collective::all_gather).algorithms ==
        std::array{true, true, true, true, true, true, false});
  CHECK(selected(text, "", Collective::broadcast).algorithms ==
        std::array{false, true, false, false, false, false, false});
  CHECK(selected("", "allreduce:ll128").protocols ==
        std::array{Allowed::no, Allowed::yes, Allowed::no});
}

TEST_CASE("what an override leaves is what is chosen") {
  for (const char name : std::string("ABCDEFGHI")) {
    const Communicator c = golden(name);
    for (double bytes = 64; bytes < 1e10; bytes *= 3) {
      const Table table =
          make_table(c, Collective::all_reduce, selected("allreduce:tree", "ll,ll128"));
      const Choice choice = choose(c, Collective::all_reduce, table, bytes);
      CHECK(choice.algorithm == Algorithm::tree);
      CHECK(choice.protocol != Protocol::simple);
      // Fewer alternatives are never faster.
      CHECK(
          choice.time_us >=
          choose(c, Collective::all_reduce, make_table(c, Collective::all_reduce), bytes).time_us);
    }
  }
  // No NVSwitch adds on A100: nothing is left there.
  const Communicator c = golden('B');
  const Table table = make_table(c, Collective::all_reduce, selected("nvls", ""));
  CHECK(std::isinf(choose(c, Collective::all_reduce, table, 1e6).time_us));
}

TEST_CASE("mistakes in overrides are told at their place") {
  struct Row {
    const char* algorithms;
    const char* protocols;
    const char* want;
  };
  const Row row = GENERATE(values<Row>({
      {"ring,tre", "", "NCCL_ALGO:1:6: error: unknown algorithm 'tre' (did you mean 'tree'?)\n"},
      {"allreduce:ring;allgater:ring", "",
       "NCCL_ALGO:1:16: error: unknown function 'allgater' (did you mean 'allgather'?)\n"},
      {"allreduce:tree;ring", "",
       "NCCL_ALGO:1:16: error: 'ring' is for no function (only the first entry may leave it out: "
       "function:name,name)\n"},
      {"ring", "LL12", "NCCL_PROTO:1:1: error: unknown protocol 'LL12' (did you mean 'll128'?)\n"},
      {"^rng", "^sample",
       "NCCL_ALGO:1:2: error: unknown algorithm 'rng' (did you mean 'ring'?)\n"
       "NCCL_PROTO:1:2: error: unknown protocol 'sample' (did you mean 'simple'?)\n"},
      {"", "^LL,LL128,Simple", "NCCL_PROTO:1:2: error: no protocol is left\n"},
      {"ring,", "",
       "NCCL_ALGO:1:6: error: unknown algorithm '' (known: tree, ring, collnetdirect, "
       "collnetchain, nvls, nvlstree, pat)\n"},
      {"broadcast:tree", "",
       "NCCL_ALGO:1: error: no algorithm and protocol are left for broadcast (name one that NCCL "
       "has for it)\n"},
      {"nvls", "ll", "NCCL_ALGO:1: error: no algorithm and protocol are left for any function\n"},
  }));
  const auto overrides = read_overrides(row.algorithms, row.protocols);
  REQUIRE_FALSE(overrides);
  CHECK(text_of(overrides.error()) == row.want);
}

}  // namespace
}  // namespace calibrate::nccl
