// How a backend is chosen, and what becomes of plug-ins that are not as they should be.

#include <filesystem>

#include "base/check.hpp"
#include "calibrate/backends/plugin.hpp"
#include "calibrate/backends/registry.hpp"
#include "tests/calibrate/backend_support.hpp"

namespace calibrate {
namespace {

using base::Bytes;

BackendOptions with(BackendOptions options, BackendOptions::Word BackendOptions::*word,
                    const std::string& text) {
  options.*word = {text, {"s.yaml", 4, 7}};
  return options;
}

TEST_CASE("nccl is what one gets without asking") {
  CHECK(backend_of({})->name() == "nccl");
  CHECK(backend_of(with(named("nccl"), &BackendOptions::version, "2.28"))->name() == "nccl");
}

TEST_CASE("mistakes in NCCL's settings are told where they stand") {
  BackendOptions options = with(named("nccl"), &BackendOptions::version, "1.0");
  options.algorithms = {"rings", {"s.yaml", 5, 9}};
  options.protocols = {"LL256", {"s.yaml", 6, 9}};
  const std::string told = refusal_of(options);
  for (const char* place : {"s.yaml:4:7: error: ", "s.yaml:5:9: error: ", "s.yaml:6:9: error: "})
    CHECK(told.find(place) != std::string::npos);
}

TEST_CASE("an unknown backend is told where its name stands") {
  CHECK(refusal_of(named("glo")) ==
        "s.yaml:3:12: error: unknown communication backend 'glo' (did you mean 'gloo'?)\n");
  CHECK(refusal_of(named("my_fast1")) ==
        "s.yaml:3:12: error: unknown communication backend 'my_fast1' (known: nccl, ncclx, rccl, "
        "xccl, gloo, mpi, measured, analytic, zero; of a plug-in, FORESHARD_BACKEND_MY_FAST1_LIB "
        "names the library)\n");
  // No variable can carry such a name.
  CHECK(refusal_of(named("a b")).find("FORESHARD_BACKEND") == std::string::npos);
  CHECK(refusal_of(named("")).find("FORESHARD_BACKEND") == std::string::npos);
}

TEST_CASE("a word that a backend has no use for is a mistake") {
  for (const backends::Builtin& row : backends::builtins) {
    INFO(row.name);
    const BackendOptions plain = named(std::string(row.name));
    const auto told = [&](BackendOptions::Word BackendOptions::*word) {
      return refusal_of(with(plain, word, "x")).find("means nothing to") != std::string::npos;
    };
    CHECK(told(&BackendOptions::version) == !row.tuned);
    CHECK(told(&BackendOptions::algorithms) == !row.tuned);
    CHECK(told(&BackendOptions::protocols) == !row.tuned);
    CHECK(told(&BackendOptions::table) == !row.table);
  }
  CHECK(refusal_of(with(named("gloo"), &BackendOptions::protocols, "LL")) ==
        "s.yaml:4:7: error: 'protocols' means nothing to the communication backend gloo (remove "
        "it, or choose another 'backend')\n");
  CHECK(refusal_of(named("measured")) ==
        "s.yaml:3:12: error: the communication backend measured needs a 'table' (name a CSV file "
        "of measurements)\n");
}

TEST_CASE("plug-ins are found by a variable of their name") {
  CHECK(backends::plugin_variable("fast_2") == "FORESHARD_BACKEND_FAST_2_LIB");
  for (const char* name : {"", "Fast", "fa st", "fast-2", "f\xC3\xA4st"})
    CHECK(backends::plugin_variable(name).empty());
  CHECK(backends::plugin_library("not_set").empty());
}

TEST_CASE("a good plug-in prices collectives, and those of built-in names stay built in") {
  const Environment library("FORESHARD_BACKEND_GOOD_LIB", FORESHARD_GOOD_PLUGIN);
  const Environment other("FORESHARD_BACKEND_NCCL_LIB", "/no/such/library.so");
  CHECK(backend_of({})->name() == "nccl");
  const Backend good = backend_of(named("good"));
  CHECK(good->name() == "good");
  CHECK(good->description() == "test plug-in, 5 us and 10 GB/s");
  CHECK(good->calibrated());
  CHECK(good->supports(Collective::all_reduce));
  CHECK_FALSE(good->supports(Collective::barrier));
  // 5 us + 2 x 1 MB / 10 GB/s = 205 us. On the wire 2 x 7/8 MB in 200 us: 8.75 GB/s.
  const CollectiveCost cost = good->cost(Collective::all_reduce, Bytes::from_mb(1), group_of(1, 8));
  CHECK(cost.total.time.us() == Approx(205));
  CHECK(cost.latency.us() == Approx(5));
  CHECK(cost.bus_rate.gbyte() == Approx(8.75));
  CHECK(cost.total.spread == 0.2);
  CHECK(refusal_of(with(named("good"), &BackendOptions::table, "t.csv"))
            .find("'table' means nothing to the communication backend good") != std::string::npos);
}

TEST_CASE("a price that makes no sense names the plug-in and what was asked") {
  const Environment library("FORESHARD_BACKEND_GOOD_LIB", FORESHARD_GOOD_PLUGIN);
  const Backend good = backend_of(named("good"));
  const auto told = [&](std::int64_t bytes) -> std::string {
    try {
      good->cost(Collective::all_reduce, Bytes::from_count(9000000000000 + bytes), group_of(2, 8));
    } catch (const base::EnvironmentError& error) {
      return error.what();
    }
    return "";
  };
  CHECK(told(0).empty());
  CHECK(told(1) ==
        "communication plug-in good: error 7 for all_reduce of 9000000000001 bytes on 16 ranks in "
        "2 nodes");
  CHECK(told(2).find("time nan s") != std::string::npos);
  CHECK(told(3).find("latency -1 s") != std::string::npos);
  CHECK(told(4).find("make no sense for all_reduce of 9000000000004 bytes") != std::string::npos);
}

TEST_CASE("a plug-in that is not as it should be is refused with the reason") {
  const auto [name, reason] = GENERATE(table<std::string, std::string>({
      {"older", "is of interface version 0.9, not 1.0"},
      {"newer", "is of interface version 1.0.1, not 1.0"},
      {"no_version", "is of interface version none, not 1.0"},
      {"null_create", "lacks one of create, destroy and version"},
      {"null_destroy", "lacks one of create, destroy and version"},
      {"null_version", "lacks one of create, destroy and version"},
      {"creates_none", "made no backend"},
      {"empty", "made a backend that lacks one of description, calibrated, supports and cost"},
      {"not_in_it", "has no function foreshard_backend_not_in_it"},
  }));
  std::string variable = backends::plugin_variable(name);
  const Environment library(variable, FORESHARD_BROKEN_PLUGIN);
  CHECK(refusal_of(named(name)) ==
        "s.yaml:3:12: error: communication plug-in '" FORESHARD_BROKEN_PLUGIN "' " + reason + " (" +
            variable + " names its library)\n");
}

TEST_CASE("a library that cannot be loaded is told with the loader's words") {
  const Environment missing("FORESHARD_BACKEND_GONE_LIB", "/no/such/library.so");
  const std::string gone = refusal_of(named("gone"));
  CHECK(gone.find("'/no/such/library.so' cannot be loaded: ") != std::string::npos);
  CHECK(gone.find("No such file") != std::string::npos);
  const std::string text = std::string(FORESHARD_SOURCE_DIR) + "/README.md";
  const Environment not_one("FORESHARD_BACKEND_TEXT_LIB", text);
  CHECK(refusal_of(named("text")).find("cannot be loaded: ") != std::string::npos);
}

}  // namespace
}  // namespace calibrate
