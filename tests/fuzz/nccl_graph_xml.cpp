#include "topology/nccl_graph_xml.hpp"

#include "tests/fuzz/fuzz.hpp"

void fuzz_one(std::string_view text) {
  const auto graphs = topology::read_nccl_graph_xml(text, "f.xml");
  if (!graphs) return fuzz::check_refusal(graphs.error());
  CHECK_INVARIANT(graphs->ring.channels >= 1 && graphs->gpus_per_node >= 1);
  for (const topology::NcclGraph& graph :
       {graphs->ring, graphs->tree, graphs->collnet_chain, graphs->nvls, graphs->collnet_direct}) {
    CHECK_INVARIANT(graph.channels >= 0);
    CHECK_INVARIANT(graph.channels == 0 || (graph.speed_intra > 0 && graph.speed_inter > 0));
  }
}
