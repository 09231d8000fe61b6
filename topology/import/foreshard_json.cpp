#include "topology/import/foreshard_json.hpp"

#include <fmt/format.h>

#include <map>
#include <optional>
#include <string>
#include <utility>

#include "base/document.hpp"
#include "base/map_reader.hpp"
#include "topology/cluster_reader.hpp"
#include "topology/found_cluster_names.hpp"
#include "topology/hardware_reader.hpp"

namespace topology {

namespace {

using base::Diagnostics;
using base::MapReader;

constexpr base::Range<int> count{0, 1'000'000};
constexpr base::Range<double> rate_bit_s{0, 1e18};

constexpr std::array<std::pair<std::string_view, base::Severity>, 2> severity_names{{
    {"warning", base::Severity::warning},
    {"note", base::Severity::note},
}};

void read_rate(MapReader& reader, std::string_view key, base::BytesPerSecond& out) {
  double bits = 0;
  if (reader.read(key, bits, rate_bit_s)) out = base::BytesPerSecond::from_byte(bits / 8);
}

class Reader {
 public:
  Reader(const base::Document& document, Diagnostics& problems)
      : root_(document, document.root, "", problems) {}

  FoundCluster read() {
    std::string schema;
    if (root_.require("schema", schema) && schema != found_cluster_schema)
      root_.error("schema",
                  fmt::format("schema is '{}', this reads '{}'", schema, found_cluster_schema));
    for (MapReader& source : root_.maps("sources")) read_source(source);
    root_.read("levels", out_.levels);
    for (MapReader& node : root_.maps("nodes")) read_node(node);
    for (MapReader& found : root_.maps("switches")) read_switch(found);
    for (MapReader& cable : root_.maps("cables")) read_cable(cable);
    for (MapReader& declared : root_.maps("declared")) read_declaration(declared);
    for (MapReader& note : root_.maps("notes")) read_note(note);
    root_.finish();
    return std::move(out_);
  }

 private:
  void read_source(MapReader& reader) {
    FoundCluster::Source source;
    reader.require("format", source.format);
    reader.require("file", source.file);
    reader.read("told", source.told);
    reader.finish();
    out_.sources.push_back(std::move(source));
  }

  void read_node(MapReader& reader) {
    FoundNode node;
    node.where = reader.where();
    reader.read("name", node.name);
    reader.read("aliases", node.aliases);
    reader.read("type", node.type);
    reader.read("gpu", node.gpu);
    reader.read("gpus", node.gpus, count);
    reader.read("usable_gpus", node.usable_gpus, count);
    reader.read("free_gpus", node.free_gpus, count);
    reader.read("unavailable", node.unavailable);
    reader.read("domains", node.domains);
    reader.read("accelerator_domain", node.accelerator_domain);
    reader.read("accelerator_partition", node.accelerator_partition);
    for (MapReader& nic : reader.maps("nics")) node.nics.push_back(read_nic(nic));
    if (std::optional<MapReader> inside = reader.map("inside"))
      node.inside.push_back(read_inside(*inside));
    for (MapReader& occupant : reader.maps("occupants"))
      node.occupants.push_back(read_occupant(occupant));
    if (node.domains.size() > out_.levels.size())
      reader.error("domains", fmt::format("{} domains for {} levels", node.domains.size(),
                                          out_.levels.size()));
    reader.finish();
    if (!node_index_.emplace(node.name, out_.nodes.size()).second)
      reader.error("name", fmt::format("two nodes are named '{}'", node.name));
    out_.nodes.push_back(std::move(node));
  }

  static FoundNic read_nic(MapReader& reader) {
    FoundNic nic;
    reader.read("name", nic.name);
    reader.read("id", nic.id);
    read_rate(reader, "rate_bit_s", nic.rate);
    reader.read("ports", nic.ports, {1, 64});
    reader.read("rail", nic.rail, count);
    reader.read_choice("role", nic.role, fabric_role_names);
    std::vector<double> gpus;
    reader.read("gpus", gpus);
    for (const double gpu : gpus) {
      if (!(gpu >= 0 && gpu < 1024 && gpu == static_cast<int>(gpu)))
        reader.error("gpus", fmt::format("'{}' is no index of a GPU", gpu));
      else
        nic.gpus.push_back(static_cast<int>(gpu));
    }
    reader.finish();
    return nic;
  }

  static FoundInside read_inside(MapReader& reader) {
    FoundInside inside;
    reader.require_choice("scale_up", inside.scale_up, scale_up_names);
    read_rate(reader, "scale_up_bit_s", inside.scale_up_rate);
    read_rate(reader, "pcie_bit_s", inside.pcie_rate);
    reader.finish();
    return inside;
  }

  static Occupant read_occupant(MapReader& reader) {
    Occupant occupant;
    reader.read("job", occupant.job);
    reader.read("pod", occupant.pod);
    reader.read("gpus", occupant.gpus, count);
    reader.read("index", occupant.index, count);
    reader.finish();
    return occupant;
  }

  void read_switch(MapReader& reader) {
    FoundSwitch found;
    found.where = reader.where();
    reader.require("id", found.id);
    reader.read("name", found.name);
    reader.read("model", found.model);
    reader.read("tier", found.tier, {0, 64});
    reader.read("rail", found.rail, count);
    reader.read_choice("role", found.role, fabric_role_names);
    reader.finish();
    if (!switch_index_.emplace(found.id, out_.switches.size()).second)
      reader.error("id", fmt::format("two switches have the id '{}'", found.id));
    out_.switches.push_back(std::move(found));
  }

  void read_cable(MapReader& reader) {
    FoundCable cable;
    cable.where = reader.where();
    if (std::optional<MapReader> end = reader.required_map("a")) cable.a = read_end(*end);
    if (std::optional<MapReader> end = reader.required_map("b")) cable.b = read_end(*end);
    read_rate(reader, "rate_bit_s", cable.rate);
    read_rate(reader, "built_bit_s", cable.built);
    reader.read_choice("state", cable.state, cable_state_names);
    reader.read("trouble", cable.trouble);
    reader.finish();
    out_.cables.push_back(std::move(cable));
  }

  CableEnd read_end(MapReader& reader) {
    CableEnd end;
    std::string name;
    if (reader.has("node")) {
      reader.read("node", name);
      end.index = index_of(reader, "node", name, node_index_);
      reader.read("nic", end.nic);
    } else if (reader.require("switch", name)) {
      end.at = CableEnd::At::fabric_switch;
      end.index = index_of(reader, "switch", name, switch_index_);
    }
    reader.read("port", end.port);
    reader.finish();
    return end;
  }

  static std::size_t index_of(MapReader& reader, std::string_view key, const std::string& name,
                              const std::map<std::string, std::size_t>& known) {
    const auto found = known.find(name);
    if (found != known.end()) return found->second;
    reader.error(key, fmt::format("there is no {} '{}'", key, name));
    return 0;
  }

  void read_declaration(MapReader& reader) {
    LevelDeclaration declared;
    declared.where = reader.where();
    reader.require("by", declared.by);
    reader.require("keys", declared.keys);
    reader.finish();
    out_.declared.push_back(std::move(declared));
  }

  void read_note(MapReader& reader) {
    base::Diagnostic note;
    reader.require_choice("severity", note.severity, severity_names);
    reader.read("file", note.where.file);
    reader.read("line", note.where.line, count);
    reader.read("column", note.where.column, count);
    reader.require("message", note.message);
    reader.read("hint", note.hint);
    reader.finish();
    out_.notes.push_back(std::move(note));
  }

  MapReader root_;
  FoundCluster out_;
  std::map<std::string, std::size_t> node_index_;
  std::map<std::string, std::size_t> switch_index_;
};

}  // namespace

bool is_foreshard_json(std::string_view text) {
  return text.substr(0, 200).find(found_cluster_schema) != std::string_view::npos;
}

base::Result<FoundCluster> read_foreshard_json(std::span<const DumpFile> files,
                                               const ImportContext&) {
  const DumpFile& file = files.front();
  const auto document = base::parse_json(file.text, file.name);
  if (!document) return tl::unexpected(document.error());
  Diagnostics problems;
  FoundCluster cluster = Reader(*document, problems).read();
  if (base::has_errors(problems)) return tl::unexpected(std::move(problems));
  return cluster;
}

}  // namespace topology
