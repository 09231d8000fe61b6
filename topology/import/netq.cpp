#include <fmt/format.h>

#include <charconv>
#include <string>
#include <string_view>
#include <utility>

#include "base/document.hpp"
#include "topology/import/fabric_formats.hpp"
#include "topology/import/neighbours.hpp"
#include "topology/import/text_lines.hpp"

/// The graph that NVIDIA NetQ shows of a Spectrum-X fabric (its fetch-topology call): a list of
/// {"nodes": [{"compounded_nodes": [...]}], "links": [{"compounded_links": [...]}]}. A link stands
/// for all cables between two devices, its compounded links are these cables.
namespace topology {

namespace {

/// More cables between two devices than switches have ports are a broken number.
constexpr int size_max = 4096;

class Reader {
 public:
  explicit Reader(const base::Document& document) : document_(document) {}

  base::Result<FoundCluster> read() {
    const base::Node& root = document_.root;
    if (root.kind == base::Node::Kind::sequence)
      for (const base::Node& graph : root.items) read_graph(graph);
    else
      read_graph(root);
    if (problems_.empty() && table_.empty()) error(root, "no link between devices");
    if (!problems_.empty()) return tl::unexpected(std::move(problems_));
    return table_.build("netq", document_.files.front(), {});
  }

 private:
  void error(const base::Node& node, std::string message, std::string hint = {}) {
    problems_.push_back({document_.where(node), std::move(message), std::move(hint)});
  }

  void read_graph(const base::Node& graph) {
    const base::Node* links = graph.find("links");
    if (links == nullptr || links->kind != base::Node::Kind::sequence)
      return error(graph, "no list 'links'", "it is the answer of NetQ's fetch-topology");
    for (const base::Node& link : links->items) read_link(link);
  }

  void read_link(const base::Node& link) {
    const base::Node* cables = link.find("compounded_links");
    if (cables == nullptr) return read_names(link);
    if (cables->kind != base::Node::Kind::sequence)
      return error(*cables, "'compounded_links' is no list");
    for (const base::Node& cable : cables->items) {
      const base::Node* interfaces = cable.find("interfaces");
      if (interfaces == nullptr || interfaces->kind != base::Node::Kind::sequence ||
          interfaces->items.size() != 2) {
        error(cable, "no list 'interfaces' of two");
        continue;
      }
      NeighbourTable::Row row;
      row.where = document_.where(cable);
      if (read_interface(interfaces->items[0], row.from) &&
          read_interface(interfaces->items[1], row.to))
        table_.add(std::move(row));
    }
  }

  bool read_interface(const base::Node& node, NeighbourTable::End& end) {
    const base::Node* device = node.find("node");
    const base::Node* port = node.find("interface");
    if (device == nullptr || port == nullptr || device->kind != base::Node::Kind::scalar ||
        port->kind != base::Node::Kind::scalar || device->text.empty() || port->text.empty()) {
      error(node, "no 'node' and 'interface'");
      return false;
    }
    end = {device->text, port->text, ""};
    return true;
  }

  /// A link that does not tell its cables: {"id": "leaf9-*-gpu12", "size": 4}.
  void read_names(const base::Node& link) {
    constexpr std::string_view between = "-*-";
    const base::Node* id = link.find("id");
    const std::string name = id != nullptr ? id->text : std::string();
    const std::size_t at = name.find(between);
    if (at == std::string::npos || at == 0 || at + between.size() == name.size())
      return error(link, "a link without 'compounded_links' and an 'id' such as leaf9-*-gpu12");
    int size = 1;
    if (const base::Node* told = link.find("size"); told != nullptr) {
      const char* const end = told->text.data() + told->text.size();
      const auto [stop, status] = std::from_chars(told->text.data(), end, size);
      if (status != std::errc() || stop != end || size < 1 || size > size_max)
        return error(*told, fmt::format("'size' is no whole number from 1 to {}", size_max));
    }
    for (int i = 0; i < size; ++i)
      table_.add({{name.substr(0, at), "", ""},
                  {name.substr(at + between.size()), "", ""},
                  {},
                  false,
                  document_.where(link)});
  }

  const base::Document& document_;
  NeighbourTable table_;
  base::Diagnostics problems_;
};

}  // namespace

bool is_netq(std::string_view text) {
  const std::string_view begin = text.substr(0, 1 << 16);
  return begin.find("\"compounded_nodes\"") != std::string_view::npos ||
         begin.find("\"compounded_links\"") != std::string_view::npos;
}

base::Result<FoundCluster> read_netq(std::span<const DumpFile> files, const ImportContext&) {
  const auto document = base::parse_json(files.front().text, files.front().name);
  if (!document) return tl::unexpected(document.error());
  return Reader(*document).read();
}

}  // namespace topology
