#include <fmt/format.h>
#include <sys/wait.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

#include "tests/sim/engine_support.hpp"
#include "tests/support/catch.hpp"

/// SimGrid's own MPI, SMPI, as an outside check: it plays a ring all-reduce message by message, our
/// engine as concurrent flows. The same platform, the same bytes.
namespace sim {
namespace {

using strategies::Axis;

#ifdef FORESHARD_SMPI_PROGRAM

constexpr double link_rate = 50e9;

/// `ranks` hosts with a link of 50 GB/s each way, and a backbone that all share if `backbone` > 0.
std::string platform(int ranks, double backbone) {
  const std::string middle =
      backbone > 0
          ? fmt::format(R"( bb_bw="{}Bps" bb_lat="0ns" bb_sharing_policy="SHARED")", backbone)
          : std::string();
  return fmt::format(
      R"(<?xml version='1.0'?>
<!DOCTYPE platform SYSTEM "https://simgrid.org/simgrid.dtd">
<platform version="4.1">
  <cluster id="c" prefix="n-" suffix="" radical="0-{}" speed="1Gf" bw="{}Bps" lat="500ns"
           sharing_policy="SPLITDUPLEX"{}/>
</platform>
)",
      ranks - 1, link_rate, middle);
}

double smpi_seconds(int ranks, std::int64_t bytes, int groups, double backbone) {
  namespace fs = std::filesystem;
  std::string folder = (fs::temp_directory_path() / "foreshard-smpi-XXXXXX").string();
  REQUIRE(mkdtemp(folder.data()) != nullptr);
  std::ofstream(folder + "/platform.xml") << platform(ranks, backbone);
  std::ofstream hosts(folder + "/hosts");
  for (int rank = 0; rank < ranks; ++rank) hosts << "n-" << rank << '\n';
  hosts.close();
  const std::string command = fmt::format(
      "cd {} && {} -np {} -hostfile hosts -platform platform.xml --cfg=network/model:CM02 "
      "--cfg=network/crosstraffic:0 --cfg=network/TCP-gamma:0 --cfg=smpi/simulate-computation:no "
      "--log=root.thresh:warning {} {} {} 2>errors",
      folder, FORESHARD_SMPIRUN, ranks, FORESHARD_SMPI_PROGRAM, bytes, groups);
  FILE* const pipe = popen(command.c_str(), "r");
  REQUIRE(pipe != nullptr);
  double seconds = 0;
  const int read = std::fscanf(pipe, "%lf", &seconds);
  const int status = pclose(pipe);
  std::ifstream errors(folder + "/errors");
  INFO(std::string(std::istreambuf_iterator<char>(errors), {}));
  fs::remove_all(folder);
  REQUIRE(read == 1);
  REQUIRE(WEXITSTATUS(status) == 0);
  return seconds;
}

/// The same hosts as nodes of one GPU.
engine::Fabric fabric_of(int ranks, double backbone) {
  engine::Fabric fabric;
  fabric.link_rate.assign(static_cast<std::size_t>(2 * ranks), link_rate);
  fabric.link_rate.push_back(backbone > 0 ? backbone : 1e15);
  for (int rank = 0; rank < ranks; ++rank) {
    fabric.domain_of_gpu.push_back(rank);
    fabric.rail_of_gpu.push_back(0);
    fabric.meshed_gpu.push_back(false);
  }
  fabric.route = [ranks](topology::GpuId from, topology::GpuId to,
                         std::vector<topology::Route>& routes) {
    routes.emplace_back().hops = {2 * from, static_cast<std::uint32_t>(2 * ranks), 2 * to + 1};
    return true;
  };
  return fabric;
}

double engine_seconds(int ranks, std::int64_t bytes, int groups, double backbone) {
  StepBuilder step(groups, 1, ranks / groups, 1, {ranks, 1});
  // A price far below what links allow: they alone decide.
  step.task(0, TaskKind::collective, Stream::data_comm,
            step.collective(calibrate::Collective::all_reduce, Axis::data_shard, bytes,
                            cost_of_time(0, 1e-9)));
  return engine::play_in_child(step.graph(), fabric_of(ranks, backbone), in_order(ranks), {})
      .step.s();
}

TEST_CASE("an all-reduce takes what SMPI says it takes message by message, within 5 %") {
  const std::int64_t mib = 1 << 20;
  const auto [ranks, bytes, groups, backbone] =
      GENERATE_COPY(table<int, std::int64_t, int, double>({
          {8, 256 * mib, 1, 0.0},
          {16, 256 * mib, 1, 0.0},
          {8, 64 * mib, 1, 0.0},
          {8, 256 * mib, 1, 100e9},   // eight hops share a backbone of two links' rate
          {16, 256 * mib, 4, 0.0},    // four rings, each host in one
          {16, 256 * mib, 2, 200e9},  // two rings over one backbone
      }));
  const double smpi = smpi_seconds(ranks, bytes, groups, backbone);
  const double ours = engine_seconds(ranks, bytes, groups, backbone);
  INFO(ranks << " ranks in " << groups << " rings, backbone " << backbone << ": " << ours
             << " s, SMPI " << smpi << " s");
  CHECK(ours == Approx(smpi).epsilon(0.05));
}

#else

TEST_CASE("an all-reduce takes what SMPI says it takes message by message") {
  WARN("skipped: no smpicc and smpirun (Debian: libsimgrid-dev)");
}

#endif

}  // namespace
}  // namespace sim
