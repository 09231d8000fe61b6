#include "topology/nccl_graph_xml.hpp"

#include <string>

#include "base/document.hpp"
#include "tests/support/catch.hpp"
#include "tests/topology/support.hpp"

namespace topology {
namespace {

// One ring of two GPUs that leaves the node; line by line, so that places are easy to count.
const std::string good =
    "<graphs version=\"1\">\n"
    "  <graph id=\"0\" pattern=\"4\" crossnic=\"0\" nchannels=\"1\" speedintra=\"24\"\n"
    "   speedinter=\"12\" latencyinter=\"0.5\" typeintra=\"NVL\" typeinter=\"PXB\" "
    "samechannels=\"1\">\n"
    "    <channel>\n"
    "      <net dev=\"0\"/><gpu dev=\"a\"/>\n"
    "      <gpu dev=\"0x10\"/><net dev=\"0\"/>\n"
    "    </channel>\n"
    "  </graph>\n"
    "</graphs>\n";

std::string replaced(std::string text, const std::string& from, const std::string& to) {
  const std::size_t at = text.find(from);
  REQUIRE(at != std::string::npos);
  return text.replace(at, from.size(), to);
}

TEST_CASE("a graph dump of NCCL is read") {
  const base::Result<NcclGraphs> graphs = read_nccl_graph_xml(good, "g.xml");
  INFO((graphs ? "" : text_of(graphs.error())));
  REQUIRE(graphs);
  NcclGraph ring;
  ring.pattern = NcclPattern::ring;
  ring.channels = 1;
  ring.speed_intra = 24;
  ring.speed_inter = 12;
  ring.latency_inter = 0.5;
  ring.type_intra = NcclPath::nvl;
  ring.type_inter = NcclPath::pxb;
  CHECK(graphs->ring == ring);
  CHECK(graphs->tree.channels == 0);
  CHECK(graphs->gpus_per_node == 2);
  CHECK(graphs->across_nodes);
}

TEST_CASE("a dump with graphs that are not used is read, with the tree beside the ring") {
  const std::string folder =
      std::string(FORESHARD_SOURCE_DIR) + "/tests/fuzz/corpus/nccl_graph_xml/";
  const auto text = base::read_file(folder + "two-gpus.xml");
  REQUIRE(text);
  const base::Result<NcclGraphs> graphs = read_nccl_graph_xml(*text, "g.xml");
  INFO((graphs ? "" : text_of(graphs.error())));
  REQUIRE(graphs);
  CHECK(graphs->ring.channels == 2);
  CHECK_FALSE(graphs->ring.same_channels);
  CHECK(graphs->tree.pattern == NcclPattern::balanced_tree);
  CHECK(graphs->tree.speed_intra == 48);
  CHECK(graphs->nvls.channels == 0);
}

TEST_CASE("mistakes in a graph dump are told at their place") {
  struct Row {
    const char* from;
    const char* to;
    const char* want;
  };
  const Row row = GENERATE(values<Row>({
      {"version=\"1\"", "version=\"2\"", "g.xml:1:9: error: 'version' is 2, must be 1\n"},
      {" version=\"1\"", "", "g.xml:1:2: error: 'version' is missing\n"},
      {"id=\"0\"", "id=\"5\"",
       "g.xml:2:10: error: 'id' is '5', must be a whole number from 0 to 4\n"},
      {"id=\"0\"", "id=\"1\"",
       "g.xml:2:17: error: 'pattern' is 4, but graph 1 is a tree graph (must be 1 to 3)\n"},
      {"pattern=\"4\"", "pattern=\"9\"",
       "g.xml:2:17: error: 'pattern' is '9', must be a whole number from 0 to 6\n"},
      {"nchannels=\"1\"", "nchannels=\"2\"",
       "g.xml:2:42: error: 'nchannels' is 2, but there are 1 <channel> elements\n"},
      {"nchannels=\"1\"", "nchannels=\"one\"",
       "g.xml:2:42: error: 'nchannels' is 'one', must be a whole number from 0 to 64\n"
       "g.xml:2:42: error: 'nchannels' is 0, but there are 1 <channel> elements\n"},
      {"speedintra=\"24\"", "speedintra=\"-24\"",
       "g.xml:2:56: error: 'speedintra' is '-24', must be a number from 0 to 1000000\n"},
      {"speedinter=\"12\"", "speedinter=\"0\"",
       "g.xml:3:4: error: 'speedinter' is 0, but there are channels\n"},
      {"\"NVL\"", "\"NVLINK\"",
       "g.xml:3:39: error: 'typeintra' is 'NVLINK', which is no path type (known: LOC, NVL, NVB, "
       "C2C, PIX, PXB, P2C, PXN, PHB, SYS, NET, DIS)\n"},
      {"\"PXB\"", "\"PXBX\"",
       "g.xml:3:55: error: 'typeinter' is 'PXBX', which is no path type (did you mean 'PXB'?)\n"},
      {"samechannels=\"1\"", "samechannels=\"yes\"",
       "g.xml:3:71: error: 'samechannels' is 'yes', must be a whole number from 0 to 1\n"},
      {"crossnic=", "crossnik=",
       "g.xml:2:4: error: 'crossnic' is missing\n"
       "g.xml:2:29: error: unknown attribute 'crossnik' of <graph> (did you mean 'crossnic'?)\n"},
      {"crossnic=\"0\"", "id=\"0\" crossnic=\"0\"", "g.xml:2:29: error: 'id' is given twice\n"},
      {"<channel>", "<chanel/><channel>",
       "g.xml:4:6: error: unknown element <chanel> in <graph> (did you mean 'channel'?)\n"},
      {"<channel>", "<channel>more", "g.xml:4:14: error: text inside <channel>\n"},
      {"dev=\"a\"", "dev=\"g\"",
       "g.xml:5:26: error: 'dev' is 'g', which is no hexadecimal number\n"},
      {"dev=\"0x10\"", "dev=\"0xA\"", "g.xml:6:12: error: GPU 0xA is twice in this ring\n"},
      {"dev=\"0x10\"", "", "g.xml:6:8: error: 'dev' is missing\n"},
      {"</channel>", "</channel><channel/>",
       "g.xml:2:42: error: 'nchannels' is 1, but there are 2 <channel> elements\n"
       "g.xml:7:16: error: a channel without GPUs\n"},
      {"  <graph id",
       "  <graph id=\"1\" pattern=\"1\" crossnic=\"0\" nchannels=\"0\" "
       "speedintra=\"0\" speedinter=\"0\" typeintra=\"LOC\" typeinter=\"LOC\" samechannels=\"1\"/>"
       "<graph id=\"1\" pattern=\"1\" crossnic=\"0\" nchannels=\"0\" speedintra=\"0\" "
       "speedinter=\"0\" typeintra=\"LOC\" typeinter=\"LOC\" samechannels=\"1\"/>\n<graph id",
       "g.xml:2:143: error: graph 1 is given twice\n"},
      {"</graphs>", "",
       "g.xml:9:1: error: no XML: Start-end tags mismatch (write it with "
       "NCCL_GRAPH_DUMP_FILE=FILE)\n"},
      {"<graphs version=\"1\">", "<system/><graphs version=\"1\">",
       "g.xml:1:2: error: there must be one element <graphs> (write it with "
       "NCCL_GRAPH_DUMP_FILE=FILE)\n"},
  }));
  INFO(row.to);
  const auto graphs = read_nccl_graph_xml(replaced(good, row.from, row.to), "g.xml");
  REQUIRE_FALSE(graphs);
  CHECK(text_of(graphs.error()) == row.want);
}

TEST_CASE("texts that are no graph dump") {
  const auto error_of = [](std::string_view text) {
    const auto graphs = read_nccl_graph_xml(text, "g.xml");
    return graphs ? std::string("read") : text_of(graphs.error());
  };
  CHECK(error_of("") ==
        "g.xml:1:1: error: no XML: No document element found (write it with "
        "NCCL_GRAPH_DUMP_FILE=FILE)\n");
  CHECK(error_of(std::string_view("<graphs\0/>", 10)) ==
        "g.xml:1:8: error: a zero byte in the text (write it with NCCL_GRAPH_DUMP_FILE=FILE)\n");
  CHECK(error_of("<graphs version=\"1\"/>") ==
        "g.xml:1:2: error: there is no ring (a graph with id 0 and channels)\n");
}

}  // namespace
}  // namespace topology
