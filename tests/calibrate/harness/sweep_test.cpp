#include "calibrate/harness/sweep.hpp"

#include <iterator>
#include <sstream>
#include <utility>

#include "tests/calibrate/support.hpp"

namespace calibrate {
namespace {

using base::Collective;

std::vector<std::string> words_of(const std::string& line) {
  std::istringstream in(line);
  return {std::istream_iterator<std::string>(in), std::istream_iterator<std::string>()};
}

SweepOptions options_of(const std::string& line) {
  const auto options = parse_sweep_options(words_of(line));
  INFO(line << "\n" << (options ? "" : text_of(options.error())));
  REQUIRE(options);
  return *options;
}

std::string mistakes_of(const std::string& line) {
  const auto options = parse_sweep_options(words_of(line));
  INFO(line);
  REQUIRE_FALSE(options);
  return text_of(options.error());
}

TEST_CASE("options are those of nccl-tests") {
  CHECK(options_of("") == SweepOptions{});
  SweepOptions wanted;
  wanted.bytes_min = 8;
  wanted.bytes_max = 128 * 1024 * 1024;
  wanted.step_factor = 2;
  CHECK(options_of("-b 8 -e 128M -f 2") == wanted);
  CHECK(options_of("-b8 -e128m -f2") == wanted);
  CHECK(options_of("--minbytes 8 --maxbytes=0.125G --stepfactor=2") == wanted);
  CHECK(options_of("-b 9 -e 128M -f 2 -b 8") == wanted);

  wanted = {};
  wanted.step_bytes = 3 * 1024;
  wanted.iterations = 7;
  wanted.warm_up = 0;
  wanted.aggregated = 4;
  wanted.cycles = 0;
  wanted.checks = 0;
  wanted.reductions = {"prod"};
  wanted.dtypes = {"bfloat16"};
  wanted.root = 3;
  wanted.average = RankAverage::max;
  wanted.timeout_s = 60;
  wanted.json = "out.json";
  wanted.issue_time = wanted.time_stamps = wanted.per_iteration = true;
  wanted.skipped = 2;
  CHECK(options_of("-i 3K -n 7 -w 0 -m 4 -N 0 -c 0 -o prod -d bfloat16 -r 3 -a 3 -T 60 -J out.json "
                   "-C 1 -S 1 -I 1 -K 2") == wanted);

  CHECK(options_of("-o all").reductions ==
        std::vector<std::string>{"sum", "prod", "max", "min", "avg"});
  CHECK(options_of("-d all").dtypes.size() == 12);
  CHECK_FALSE(options_of("-r all").root.has_value());
  CHECK(options_of("-b 1.5").bytes_min == 1);
}

TEST_CASE("every mistake of the options is told at its words") {
  for (const auto& [line, message] : std::vector<std::pair<std::string, std::string>>{
           {"-b 12Q",
            "-b 12Q: error: '12Q' is no size (bytes, or a number with K, M or G "
            "(powers of 1024): 64M)\n"},
           {"-b -1",
            "-b -1: error: '-1' is no size (bytes, or a number with K, M or G (powers of "
            "1024): 64M)\n"},
           {"-e 9999999G", "-e 9999999G: error: 9999999G is more than 1125899906842624 bytes\n"},
           {"-n 0", "-n 0: error: '0' is no whole number from 1 to 1000000000\n"},
           {"-n 2.5", "-n 2.5: error: '2.5' is no whole number from 1 to 1000000000\n"},
           {"-C yes", "-C yes: error: 'yes' is neither 0 nor 1\n"},
           {"-o sun", "-o sun: error: no reduction 'sun' (did you mean 'sum'?)\n"},
           {"-o mulsum",
            "-o mulsum: error: no reduction 'mulsum' (known: sum, prod, max, min, "
            "avg)\n"},
           {"-d floot", "-d floot: error: no type 'floot' (did you mean 'float'?)\n"},
           {"-a 4", "-a 4: error: '4' is no whole number from 0 to 3\n"},
           {"-J out.txt", "-J out.txt: error: 'out.txt' does not end in .json\n"},
           {"-n", "-n: error: '-n' needs a value\n"},
           {"-b 2 -e 1",
            "-b -e: error: 2 bytes are more than 1 (-b is the least size, -e the "
            "largest)\n"},
           {"-b 0 -f 2",
            "-b -f: error: no factor leads from 0 to the next size (begin with -b 1, "
            "or step with -i)\n"},
           {"-i 0", "-i: error: a step of 0 does not lead to the next size\n"},
           {"-b 0 -e 1G -i 8",
            "-i: error: from 0 to 1073741824 bytes in steps of 8: more than "
            "100000 sizes (a larger -i, or a factor with -f)\n"},
           {"-n 5 -K 5", "-K: error: 5 of 5 iterations are left out (fewer than -n)\n"}})
    CHECK(mistakes_of(line) == message);
  // All at once; what nccl-tests has beyond the harness is named.
  CHECK(mistakes_of("-g 8 -b x -q 3 --cudagraph=1 4") ==
        "-g 8: error: '-g' (ngpus) of nccl-tests is not supported here (known: -b -e -f -i -n -w "
        "-m -N -c -o -d -r -a -T -J -C -S -I -K)\n"
        "-b x: error: 'x' is no size (bytes, or a number with K, M or G (powers of 1024): 64M)\n"
        "-q 3: error: no option '-q' (known: -b -e -f -i -n -w -m -N -c -o -d -r -a -T -J -C -S "
        "-I -K)\n"
        "--cudagraph=1: error: '-G' (cudagraph) of nccl-tests is not supported here (known: -b -e "
        "-f -i -n -w -m -N -c -o -d -r -a -T -J -C -S -I -K)\n"
        "4: error: no option '4' (known: -b -e -f -i -n -w -m -N -c -o -d -r -a -T -J -C -S -I "
        "-K)\n");
}

/// Count, elements sent, elements received and printed size of one call.
CallSize made(std::int64_t count, std::int64_t send, std::int64_t receive, std::int64_t bytes) {
  return {count, send, receive, base::Bytes::from_count(bytes)};
}

TEST_CASE("shares of a rank are rounded down to 16 bytes, whole buffers to elements") {
  // 1000 bytes of float: 250 elements, 4 of them in 16 bytes.
  //   n = 1: share 250 -> 248.  n = 2: 125 -> 124.  n = 3: 83 -> 80.  n = 8: 31 -> 28.
  struct Row {
    int ranks;
    std::int64_t share;
    std::int64_t bytes;  ///< share x ranks x 4
  };
  for (const Row& row : {Row{1, 248, 992}, {2, 124, 992}, {3, 80, 960}, {8, 28, 896}}) {
    INFO(row.ranks);
    const std::int64_t all = row.share * row.ranks;
    for (const Collective op : {Collective::all_reduce, Collective::broadcast, Collective::reduce,
                                Collective::send_receive})
      CHECK(call_size(op, row.ranks, 1000, 4) == made(250, 250, 250, 1000));
    for (const Collective op : {Collective::all_gather, Collective::gather})
      CHECK(call_size(op, row.ranks, 1000, 4) == made(row.share, row.share, all, row.bytes));
    for (const Collective op : {Collective::reduce_scatter, Collective::scatter})
      CHECK(call_size(op, row.ranks, 1000, 4) == made(row.share, all, row.share, row.bytes));
    CHECK(call_size(Collective::all_to_all, row.ranks, 1000, 4) ==
          made(row.share, all, all, row.bytes));
    CHECK(call_size(Collective::barrier, row.ranks, 1000, 4) == made(0, 0, 0, 0));
  }
  // 16 bytes are 16 int8, 8 half, 2 double; of 100 bytes two ranks have 50, 25 and 6 elements each.
  CHECK(call_size(Collective::all_gather, 2, 100, 1) == made(48, 48, 96, 96));
  CHECK(call_size(Collective::all_gather, 2, 100, 2) == made(24, 24, 48, 96));
  CHECK(call_size(Collective::all_gather, 2, 100, 8) == made(6, 6, 12, 96));
  // 8 ranks share 64 bytes: 8 each, less than 16.
  CHECK(call_size(Collective::all_to_all, 8, 64, 4) == made(0, 0, 0, 0));
}

std::vector<std::int64_t> bytes_of(Collective op, int ranks, const std::string& options) {
  std::vector<std::int64_t> bytes;
  for (const CallSize& call : sweep_calls(op, ranks, 4, options_of(options)))
    bytes.push_back(call.bytes.count());
  return bytes;
}

TEST_CASE("a sweep has the sizes of nccl-tests in their order") {
  using List = std::vector<std::int64_t>;
  for (const int ranks : {1, 2, 3, 8})
    CHECK(bytes_of(Collective::all_reduce, ranks, "-b 8 -e 100 -f 2") == List{8, 16, 32, 64});
  const std::string powers = "-b 16 -e 256 -f 2";  // 16, 32, 64, 128, 256
  CHECK(bytes_of(Collective::all_gather, 1, powers) == List{16, 32, 64, 128, 256});
  CHECK(bytes_of(Collective::all_gather, 2, powers) == List{0, 32, 64, 128, 256});
  CHECK(bytes_of(Collective::all_gather, 3, powers) == List{0, 0, 48, 96, 240});
  CHECK(bytes_of(Collective::all_gather, 8, powers) == List{0, 0, 0, 128, 256});
  CHECK(bytes_of(Collective::broadcast, 2, "-b 4 -e 14 -i 4") == List{4, 8, 12});
  CHECK(bytes_of(Collective::broadcast, 2, "-b 10 -e 1000 -f 10") == List{8, 100, 1000});
  CHECK(bytes_of(Collective::broadcast, 2, "-b 0 -e 8 -i 4") == List{0, 4, 8});
  CHECK(bytes_of(Collective::all_reduce, 2, "") == List{33554432});
  CHECK(bytes_of(Collective::barrier, 2, powers) == List{0});
  CHECK(bytes_of(Collective::all_reduce, 2, "-b 4 -e 1048576G -f 1125899906842624") == List{4});
}

TEST_CASE("operations with a root and with a reduction") {
  for (const auto& [name, op] : base::collective_names) {
    INFO(name);
    CHECK(has_root(op) ==
          (name == "broadcast" || name == "reduce" || name == "gather" || name == "scatter"));
    CHECK(has_reduction(op) ==
          (name == "all_reduce" || name == "reduce_scatter" || name == "reduce"));
  }
}

}  // namespace
}  // namespace calibrate
