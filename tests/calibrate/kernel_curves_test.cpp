#include "calibrate/kernel_curves.hpp"

#include <filesystem>
#include <fstream>
#include <iterator>

#include "tests/calibrate/support.hpp"

namespace calibrate {
namespace {

const std::string good = R"(architecture: toy
measured_on: [TOY-1]
family_spread: 0.1
gemm:
  bf16:
    source: "a table"
    points: 10
    spread: 0.05
    efficiency: 0.9
    tile_penalty: 10
    prologue: 1 us
    launch: 2 us
    reduction: 3 us
    memory_share: 0.8
    throttle: 0.1
    throttle_tflop: 1
flash_attention:
  - name: flash
    libraries: [lib]
    source: "a figure"
    points: 0
    spread: 0.1
    forward: {64: 0.5, 128: 0.6}
    backward: {64: 0.4}
    tile: 128
    causal_pad: 64
    prologue: 1 us
    tail: 0.5
    launch: 5 us
unfused_attention:
  - name: plain
    source: "counted"
    points: 0
    spread: 0.2
    score_passes: 3
    causal_score_passes: 4
    backward_score_passes: 5
    operand_passes: 2
memory_bound:
  source: "known"
  points: 0
  spread: 0.1
  share: 0.8
  half_size: 2 MB
)";

std::string with(std::string text, std::string_view from, std::string_view to) {
  const std::size_t at = text.find(from);
  REQUIRE(at != std::string::npos);
  return text.replace(at, from.size(), to);
}

TEST_CASE("a file of curves is read whole") {
  const base::Result<KernelCurves> curves = read_kernel_curves(good, "toy.yaml");
  INFO((curves ? "" : text_of(curves.error())));
  REQUIRE(curves);
  CHECK(curves->measured_on("TOY-1"));
  CHECK_FALSE(curves->measured_on("TOY-2"));
  CHECK(curves->gemm_for(base::DType::fp16).prologue.us() == Approx(1));  // bf16 serves it
  REQUIRE(curves->find_flash("lib") != nullptr);
  CHECK(curves->find_flash("lib")->forward.at(128) == 0.6);
  CHECK(curves->find_flash("other") == nullptr);
  CHECK(curves->find_unfused("plain")->backward_score_passes == 5);
  CHECK(curves->memory.half_size.count() == 2'000'000);
}

TEST_CASE("mistakes in a file of curves are told at their place") {
  struct Row {
    const char* from;
    const char* to;
    const char* want;
  };
  const Row row = GENERATE(values<Row>({
      {"efficiency: 0.9", "efficiency: 1.2",
       "t.yaml:9:17: error: 'efficiency' is 1.2, must be at most 1\n"},
      {"    prologue: 1 us\n    launch: 2 us", "    launch: 2 us",
       "t.yaml:6:5: error: 'gemm.bf16.prologue' is missing\n"},
      {"    throttle: 0.1", "    throtle: 0.1",
       "t.yaml:6:5: error: 'gemm.bf16.throttle' is missing\n"
       "t.yaml:15:5: error: unknown key 'throtle' (did you mean 'throttle'?)\n"},
      {"  bf16:\n    source", "  fp16:\n    source",
       "t.yaml:5:3: error: 'gemm.bf16' is missing (it serves every number format without its "
       "own)\n"},
      {"{64: 0.4}", "{x: 0.4}",
       "t.yaml:24:19: error: 'x' is not a head dimension\n"
       "t.yaml:24:15: error: 'backward' has no head dimension\n"},
      {"2 MB", "2", "t.yaml:44:14: error: 'half_size' has no unit: '2' (for example 80 GiB)\n"},
      {"unfused_attention:\n  -", "unfused_attention: []\nrest:\n  -",
       "t.yaml:30:20: error: 'unfused_attention' must list at least one kernel\n"
       "t.yaml:31:1: error: unknown key 'rest' (known: architecture, measured_on, family_spread, "
       "sustained, sustained_power, gpu_spread, gemm, flash_attention, unfused_attention, "
       "memory_bound)\n"},
  }));
  const auto curves = read_kernel_curves(with(good, row.from, row.to), "t.yaml");
  REQUIRE_FALSE(curves);
  CHECK(text_of(curves.error()) == row.want);
}

TEST_CASE("every file of curves is read and named after its architecture") {
  int files = 0;
  for (const auto& entry : std::filesystem::directory_iterator(hardware_folder + "/kernels")) {
    const std::string path = entry.path().string();
    INFO(path);
    const auto curves = load_kernel_curves(hardware_folder, entry.path().stem().string());
    INFO((curves ? "" : text_of(curves.error())));
    REQUIRE(curves);
    CHECK(curves->architecture == entry.path().stem().string());
    for (const std::string& gpu : curves->gpus)
      CHECK(shipped_gpu(gpu).architecture == curves->architecture);
    ++files;
  }
  CHECK(files >= 7);
}

TEST_CASE("an architecture without a file gets the generic curves") {
  const auto curves = load_kernel_curves(hardware_folder, "not-yet-built");
  REQUIRE(curves);
  CHECK(curves->architecture == "generic");
  CHECK_FALSE(load_kernel_curves("/nonexistent", "hopper"));
}

}  // namespace
}  // namespace calibrate
