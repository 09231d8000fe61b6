#include "viz/timeline_json.hpp"

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "tests/support/catch.hpp"
#include "tests/viz/sample_step.hpp"

namespace viz {
namespace {

using nlohmann::json;
using Numbers = std::vector<std::int64_t>;

const json& stream_named(const json& rank_class, const std::string& name) {
  for (const json& stream : rank_class.at("streams"))
    if (stream.at("name") == name) return stream;
  FAIL("no stream " << name);
  return rank_class;
}

TEST_CASE("a class of ranks has the spans of its lowest rank as columns") {
  const SampleStep step = sample_step();
  const json timeline = json::parse(timeline_json("by hand", step.graph, step.timeline));
  CHECK(timeline.at("schema") == "foreshard.timeline.v1");
  CHECK(timeline.at("step_time_s") == 0.065);
  REQUIRE(timeline.at("classes").size() == 2);
  const json& first = timeline.at("classes")[0];
  CHECK(first.at("name") == "stage 0");
  CHECK(first.at("ranks") == 2);
  CHECK(timeline.at("classes")[1].at("rank") == 2);
  // Forward 0 to 10 ms, backward 40 to 60, optimizer 64 to 65: gaps of 0, 30 and 4.
  const json& compute = stream_named(first, "compute");
  CHECK(compute.at("gap_ns") == Numbers{0, 30'000'000, 4'000'000});
  CHECK(compute.at("length_ns") == Numbers{10'000'000, 20'000'000, 1'000'000});
  CHECK(compute.at("segments") == Numbers{0, 1, 2});
  CHECK(compute.at("micro_batches") == Numbers{0, 0, -1});
}

TEST_CASE("what a rank waits for stands before the transfer") {
  const SampleStep step = sample_step();
  const json timeline = json::parse(timeline_json("by hand", step.graph, step.timeline));
  // The gradient is received from 38 to 40 ms and waited for from the start.
  const json& receive = stream_named(timeline.at("classes")[0], "receive");
  CHECK(receive.at("gap_ns") == Numbers{0, 0});
  CHECK(receive.at("length_ns") == Numbers{38'000'000, 2'000'000});
  CHECK(receive.at("bytes") == Numbers{0, 8 << 20});
  const auto kind = [&](std::size_t i) {
    return timeline.at("kinds").at(receive.at("kinds").at(i).get<std::size_t>());
  };
  CHECK(kind(0) == "wait");
  CHECK(kind(1) == "pipeline");
}

TEST_CASE("the inside of a segment is written once a class") {
  const SampleStep step = sample_step();
  const json timeline = json::parse(timeline_json("by hand", step.graph, step.timeline));
  const json& segments = timeline.at("classes")[0].at("segments");
  REQUIRE(segments.size() == 3);
  // Two kernels of 3.5 ms, between them a collective that takes 2 ms alone.
  CHECK(segments[0].at("kernel_ns") == Numbers{3'500'000, 0, 3'500'000});
  CHECK(segments[0].at("beyond_ns") == Numbers{0, 2'000'000, 0});
}

TEST_CASE("spans of the critical path are marked") {
  const SampleStep step = sample_step();
  const json timeline = json::parse(timeline_json("by hand", step.graph, step.timeline));
  // Forward 0, its message, both passes of stage 1, the gradient's message, backward 0, reduction
  // (after a wait, which is not on the path), optimizer.
  const json& first = timeline.at("classes")[0];
  CHECK(stream_named(first, "compute").at("critical") == Numbers{0, 1, 2});
  CHECK(stream_named(first, "send").at("critical") == Numbers{0});
  CHECK(stream_named(first, "receive").at("critical") == Numbers{});
  CHECK(stream_named(first, "data").at("critical") == Numbers{1});
  const json& second = timeline.at("classes")[1];
  CHECK(stream_named(second, "compute").at("critical") == Numbers{0, 1});
  CHECK(stream_named(second, "send").at("critical") == Numbers{0});
}

TEST_CASE("a message leads from its send to its receive, and memory to its changes") {
  const SampleStep step = sample_step();
  const json timeline = json::parse(timeline_json("by hand", step.graph, step.timeline));
  const json& messages = timeline.at("messages");
  CHECK(messages.at("from") == Numbers{0, 1});
  CHECK(messages.at("to") == Numbers{1, 0});
  CHECK(messages.at("begin_ns") == Numbers{10'000'000, 38'000'000});
  CHECK(messages.at("end_ns") == Numbers{12'000'000, 40'000'000});
  const json& memory = timeline.at("classes")[0].at("memory");
  CHECK(memory.at("time_ns") == Numbers{0, 60'000'000});
  CHECK(memory.at("used_bytes") == Numbers{6000, 5000});
}

TEST_CASE("a name in a broken encoding does not break the timeline") {
  SampleStep step = sample_step();
  step.graph.programs[0].name = "\xff</script>";
  const json timeline = json::parse(timeline_json("\xff", step.graph, step.timeline));
  CHECK(timeline.at("classes")[0].at("name") == "\uFFFD</script>");
}

}  // namespace
}  // namespace viz
