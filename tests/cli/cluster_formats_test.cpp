// Every format of cluster dumps, from a file as people have it to a picture and a forecast.

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cstdlib>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <string_view>
#include <vector>

#include "tests/cli/program.hpp"
#include "tests/support/golden.hpp"
#include "tests/topology/cluster_shapes.hpp"
#include "tests/topology/import_support.hpp"
#include "topology/cluster_of.hpp"
#include "topology/export/format.hpp"
#include "topology/import/import.hpp"
#include "viz/cluster_map.hpp"

namespace topology {
namespace {

/// Files of tests/topology/dumps that are one dump in a format.
struct Fixture {
  std::string_view format;
  std::vector<std::string> files;
  std::string node_type = "dgx-h100";  ///< of nodes of which it does not tell the GPU
};

const std::vector<Fixture> fixtures{
    {"foreshard", {"foreshard-cluster.json"}},
    {"kubernetes",
     {"kubernetes/nodes.yaml", "kubernetes/pods.yaml", "kubernetes/kueue.yaml",
      "kubernetes/hypernodes.yaml", "kubernetes/slices.yaml", "kubernetes/coreweave.yaml"}},
    {"slurm-conf", {"topology.conf"}},
    {"slurm-yaml", {"topology.yaml"}},
    {"topograph", {"topograph-model.yaml"}, "gb200-nvl72"},
    {"topograph-graph", {"topograph-graph.json"}},
    {"aws-topology", {"aws-instance-topology.json"}},
    {"gcp-instances", {"gcp-instances.json"}},
    {"oci-hosts", {"oci-compute-hosts.json"}},
    {"lambda-instances", {"lambda-instances.json"}},
    {"nscale-topology", {"nscale-topology.json"}},
    {"ibnetdiscover", {"ibsim-rails.ibnetdiscover"}},
    {"iblinkinfo", {"ibsim-rails.iblinkinfo-l"}},
    {"netq", {"netq-topology.json"}},
    {"lldp", {"lldpctl-gpu-01.json", "lldpctl-leaf-1.json"}},
    {"sonic", {"sonic/leaf-1.json", "sonic/leaf-2.json", "sonic/spine-1.txt"}},
    {"ufm", {"ufm-ports.json"}},
    {"lingjun", {"lingjun-topo.csv"}},
    {"infragraph", {"infragraph-two-tiers.yaml"}},
    {"nccl-topology", {"nccl-topo-hgx-h100.xml"}},
    {"nvidia-smi-topo", {"nvidia-smi-topo-hgx.txt"}},
};

std::string folder() { return FORESHARD_SOURCE_DIR "/tests/topology/dumps/"; }

std::vector<DumpFile> dumps_of(const Fixture& fixture) {
  std::vector<DumpFile> dumps;
  for (const std::string& file : fixture.files) dumps.push_back({file, contents_of(folder() + file)});
  return dumps;
}

FoundCluster found_in(const Fixture& fixture) {
  const ImportOptions options;
  auto found = import_cluster(dumps_of(fixture), "", {shipped_registry(), options});
  INFO((found ? "" : text_of(found.error())));
  REQUIRE(found);
  return std::move(*found);
}

TEST_CASE("every format of dumps has a fixture, which no other format takes for its own") {
  std::set<std::string_view> formats;
  for (const Fixture& fixture : fixtures) {
    formats.insert(fixture.format);
    for (const DumpFile& dump : dumps_of(fixture)) {
      std::vector<std::string_view> takers;
      for (const ImportFormat& format : import_formats())
        if (format.detect(dump.text)) takers.push_back(format.name);
      INFO(dump.name);
      CHECK(fmt::format("{}", fmt::join(takers, ", ")) == fixture.format);
    }
  }
  for (const ImportFormat& format : import_formats()) {
    INFO(format.name);
    CHECK(formats.contains(format.name));
  }
}

TEST_CASE("the picture of each format's fixture is as checked in, and Graphviz draws it") {
  const bool graphviz = std::system("dot -V >/dev/null 2>&1") == 0;
  if (!graphviz) WARN("drawing skipped: no dot in PATH");
  const Folder out;
  for (const Fixture& fixture : fixtures) {
    INFO(fixture.format);
    const std::string dot = viz::cluster_map_dot(viz::map_of_states(found_in(fixture)));
    check_golden(fmt::format("clusters/{}.dot", fixture.format), dot);
    if (!graphviz) continue;
    write_file(out / "map.dot", dot);
    const std::string draw = fmt::format("dot -Tsvg -o /dev/null '{}' 2>'{}'", out / "map.dot",
                                         out / "err");
    CHECK(std::system(draw.c_str()) == 0);
    CHECK(contents_of(out / "err") == "");
  }
}

/// The importer of what an exporter writes.
const std::map<std::string_view, std::string_view> tree_readers{
    {"slurm-tree", "slurm-conf"}, {"slurm-yaml", "slurm-yaml"},
    {"topograph", "topograph"},   {"topograph-graph", "topograph-graph"},
};

const ExportFormat& exporter(std::string_view name) {
  const auto formats = export_formats();
  const auto found = std::find_if(formats.begin(), formats.end(),
                                  [&](const ExportFormat& one) { return one.name == name; });
  REQUIRE(found != formats.end());
  return *found;
}

FoundCluster written_and_read(const FoundCluster& cluster, std::string_view as,
                              const std::string& beside = "") {
  const auto out = exporter(as).write(cluster);
  INFO(as << "\n" << (out ? out->text : text_of(out.error())));
  REQUIRE(out);
  const ImportOptions options;
  auto again =
      import_cluster({{"written", out->text + beside}}, "", {shipped_registry(), options});
  INFO((again ? "" : text_of(again.error())));
  REQUIRE(again);
  return std::move(*again);
}

TEST_CASE("a fixture written in another format is read as the same switch tree") {
  for (const Fixture& fixture : fixtures) {
    const FoundCluster found = found_in(fixture);
    const bool tree = std::any_of(found.nodes.begin(), found.nodes.end(),
                                  [](const FoundNode& node) { return !node.domains.empty(); });
    if (!tree) continue;
    for (const auto& [writer, reader] : tree_readers) {
      INFO(fixture.format << " as " << writer);
      const FoundCluster again = written_and_read(found, writer);
      CHECK(again.sources.front().format == reader);
      CHECK(shape_of(again) == shape_of(found));
    }
  }
}
}  // namespace
}  // namespace topology
