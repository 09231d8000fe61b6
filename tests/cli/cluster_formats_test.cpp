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
#include "topology/export/format.hpp"
#include "topology/import/import.hpp"
#include "viz/cluster_map.hpp"

namespace topology {
namespace {

/// Files of tests/topology/dumps that are one dump in a format.
struct Fixture {
  std::string_view format;
  std::vector<std::string> files;
  std::string options;  ///< what a scenario on it has to say beside the files
};

constexpr const char* dgx = "node_type: dgx-h100";  // where no dump tells the GPUs

const std::vector<Fixture> fixtures{
    {"foreshard", {"foreshard-cluster.json"}},
    {"kubernetes",
     {"kubernetes/nodes.yaml", "kubernetes/pods.yaml", "kubernetes/kueue.yaml",
      "kubernetes/hypernodes.yaml", "kubernetes/slices.yaml"}},
    {"slurm-conf", {"topology.conf"}, dgx},
    {"slurm-yaml", {"topology.yaml"}, dgx},
    {"topograph", {"topograph-model.yaml"}, "node_type: gb200-tray"},
    {"topograph-graph", {"topograph-graph.json"}, dgx},
    {"aws-topology", {"aws-instance-topology.json"}, "gpu: H100"},
    {"gcp-instances", {"gcp-instances.json"}},
    {"oci-hosts", {"oci-compute-hosts.json"}, dgx},
    {"lambda-instances", {"lambda-instances.json"}, dgx},
    {"nscale-topology", {"nscale-topology.json"}, dgx},
    {"ibnetdiscover", {"ibsim-rails.ibnetdiscover"}, dgx},
    {"iblinkinfo", {"ibsim-rails.iblinkinfo-l"}, dgx},
    {"netq", {"netq-topology.json"}, dgx},
    {"lldp", {"lldp/leaf-1.json", "lldp/leaf-2.json"}, dgx},
    {"sonic", {"sonic/leaf-1.json", "sonic/leaf-2.json", "sonic/spine-1.txt"}, dgx},
    {"ufm", {"ufm-ports.json"}, dgx},
    {"lingjun", {"lingjun-topo.csv"}, dgx},
    {"infragraph", {"infragraph-two-tiers.yaml"}, dgx},
    {"nccl-topology", {"nccl-topo-hgx-h100.xml"}, dgx},
    {"nvidia-smi-topo", {"nvidia-smi-topo-hgx.txt"}, dgx},
};

std::string folder() { return FORESHARD_SOURCE_DIR "/tests/topology/dumps/"; }

std::vector<DumpFile> dumps_of(const Fixture& fixture) {
  std::vector<DumpFile> dumps;
  for (const std::string& file : fixture.files)
    dumps.push_back({file, contents_of(folder() + file)});
  return dumps;
}

FoundCluster found_in(const Fixture& fixture) {
  const ImportOptions options;
  auto found = import_cluster(dumps_of(fixture), "", {*shipped_registry(), options});
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
    const std::string draw =
        fmt::format("dot -Tsvg -o /dev/null '{}' 2>'{}'", out / "map.dot", out / "err");
    CHECK(std::system(draw.c_str()) == 0);
    CHECK(contents_of(out / "err") == "");
  }
}

/// The importer of what an exporter writes.
const std::map<std::string_view, std::string_view> tree_readers{
    {"slurm-tree", "slurm-conf"},
    {"slurm-yaml", "slurm-yaml"},
    {"topograph", "topograph"},
    {"topograph-graph", "topograph-graph"},
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
      import_cluster({{"written", out->text + beside}}, "", {*shipped_registry(), options});
  INFO((again ? "" : text_of(again.error())));
  REQUIRE(again);
  return std::move(*again);
}

/// Trees of switches have no place for nodes below none: the writers say so, see export_test.
FoundCluster placed_part(FoundCluster found) {
  std::erase_if(found.nodes, [](const FoundNode& node) {
    return std::all_of(node.domains.begin(), node.domains.end(),
                       [](const std::string& domain) { return domain.empty(); });
  });
  return found;
}

TEST_CASE("a fixture written in another format is read as the same switch tree") {
  for (const Fixture& fixture : fixtures) {
    const FoundCluster found = placed_part(found_in(fixture));
    if (found.nodes.empty()) continue;
    for (const auto& [writer, reader] : tree_readers) {
      INFO(fixture.format << " as " << writer);
      const FoundCluster again = written_and_read(found, writer);
      CHECK(again.sources.front().format == reader);
      CHECK(shape_of(again) == shape_of(found));
    }
  }
}

/// "n0,n1;n2" for the nodes below each lowest switch.
std::string groups_of(const FoundCluster& found) {
  std::map<std::vector<std::string>, std::vector<std::string>> by_path;
  for (const FoundNode& node : found.nodes) by_path[node.domains].push_back(node.name);
  std::vector<std::string> groups;
  for (auto& [path, names] : by_path) {
    std::sort(names.begin(), names.end());
    groups.push_back(fmt::format("{}", fmt::join(names, ",")));
  }
  std::sort(groups.begin(), groups.end());
  return fmt::format("{}", fmt::join(groups, ";"));
}

TEST_CASE("blocks of Slurm are read as the lowest switches they were written of") {
  const Fixture blocks{"slurm-conf", {"topology-block.conf"}};
  const Fixture tree{"slurm-conf", {"topology.conf"}};
  const Fixture clouds{"oci-hosts", {"oci-compute-hosts.json"}};
  for (const Fixture& fixture : {blocks, tree, clouds}) {
    INFO(fixture.files.front());
    const FoundCluster found = found_in(fixture);
    const FoundCluster again = written_and_read(found, "slurm-block");
    CHECK(again.sources.front().format == "slurm-conf");
    CHECK(groups_of(again) == groups_of(found));
  }
}

TEST_CASE("HyperNodes of Volcano beside the nodes are read as the tree they were written of") {
  for (const Fixture& fixture : fixtures) {
    if (fixture.format != "slurm-yaml" && fixture.format != "nscale-topology") continue;
    INFO(fixture.format);
    const FoundCluster found = found_in(fixture);
    std::string nodes;
    for (const FoundNode& node : found.nodes)
      nodes += fmt::format(
          "---\napiVersion: v1\nkind: Node\nmetadata:\n  name: {}\n"
          "status: {{allocatable: {{nvidia.com/gpu: '8'}}}}\n",
          node.name);
    const FoundCluster again = written_and_read(found, "volcano", nodes);
    CHECK(again.sources.front().format == "kubernetes");
    CHECK(shape_of(again) == shape_of(found));
  }
}

/// Rates and ends of all cables that are up, which are those that InfraGraph has. It counts what
/// has one name, "host.0", and such a name is written as "host-0".
std::string cables_of(const FoundCluster& found) {
  const auto name = [&](const CableEnd& end) {
    if (end.at == CableEnd::At::node) return found.nodes[end.index].name;
    const FoundSwitch& one = found.switches[end.index];
    return one.name.empty() ? one.id : one.name;
  };
  std::vector<std::string> lines;
  for (const FoundCable& cable : found.cables) {
    if (cable.state == CableState::down) continue;
    std::string a = name(cable.a);
    std::string b = name(cable.b);
    if (b < a) std::swap(a, b);
    lines.push_back(fmt::format("{} - {} {:g}", a, b, cable.rate.gbit()));
  }
  for (std::string& line : lines) std::replace(line.begin(), line.end(), '.', '-');
  std::sort(lines.begin(), lines.end());
  return fmt::format("{}", fmt::join(lines, "\n"));
}

TEST_CASE("a fixture with cables written as InfraGraph is read with the same cables") {
  int cabled = 0;
  for (const Fixture& fixture : fixtures) {
    const FoundCluster found = found_in(fixture);
    if (found.cables.empty()) continue;
    ++cabled;
    INFO(fixture.format);
    const FoundCluster again = written_and_read(found, "infragraph");
    CHECK(again.sources.front().format == "infragraph");
    CHECK(again.nodes.size() == found.nodes.size());
    CHECK(again.switches.size() == found.switches.size());
    CHECK(cables_of(again) == cables_of(found));
  }
  CHECK(cabled >= 7);  // InfiniBand twice, NetQ, LLDP, SONiC, UFM, InfraGraph
}

TEST_CASE("a fixture written by foreshard is read as it was") {
  for (const Fixture& fixture : fixtures) {
    INFO(fixture.format);
    const FoundCluster found = found_in(fixture);
    const FoundCluster again = written_and_read(found, "foreshard");
    CHECK(exporter("foreshard").write(again)->text == exporter("foreshard").write(found)->text);
  }
}

TEST_CASE("a training step is forecast on the fixture of each format") {
  const Folder out;
  for (const Fixture& fixture : fixtures) {
    INFO(fixture.format);
    std::vector<std::string> files;
    for (const std::string& file : fixture.files) files.push_back("\"" + folder() + file + "\"");
    const std::string options = fixture.options.empty() ? "" : ", " + fixture.options;
    write_file(out / "scenario.yaml",
               fmt::format("name: fixture\n"
                           "model: {{config: \"{}/scenarios/models/llama-3.1-8b/config.json\"}}\n"
                           "cluster: {{import: [{}]{}}}\n"
                           "plan: {{tensor_parallel: 8, zero: 1, sequence_parallel: true, "
                           "micro_batch: 1, global_batch: 720, sequence: 4096, recompute: full}}\n",
                           FORESHARD_SOURCE_DIR, fmt::join(files, ", "), options));
    double analytic = 0;
    for (const std::string_view fidelity : {"analytic", "hybrid"}) {
      const Outcome run = foreshard(
          fmt::format("run '{}' --fidelity {} --json -", out / "scenario.yaml", fidelity));
      REQUIRE(run.code == 0);
      const auto report = nlohmann::json::parse(run.out);
      CHECK(report.at("ranks") >= 8);
      const double seconds = report.at("step_time_s");
      CHECK(seconds > 0);
      // Contention, which only the hybrid plays, can add to a step and take nothing from it.
      CHECK(seconds >= analytic * (1 - 1e-9));
      analytic = seconds;
    }
  }
}

}  // namespace
}  // namespace topology
