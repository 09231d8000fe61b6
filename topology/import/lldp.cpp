#include <fmt/format.h>

#include <charconv>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "base/document.hpp"
#include "topology/import/fabric_formats.hpp"
#include "topology/import/neighbours.hpp"
#include "topology/import/text_lines.hpp"

/// What lldpd sees on the ports of one device: `lldpctl -f json` and `-f json0` (lldpd 1.0). In the
/// first, a list of one is not a list, and names are keys; the second is always lists.
namespace topology {

namespace {

/// The first of a list, or what is no list; nullptr of nothing.
const base::Node* only(const base::Node* node) {
  if (node == nullptr || node->kind != base::Node::Kind::sequence) return node;
  return node->items.empty() ? nullptr : &node->items.front();
}

const base::Node* under(const base::Node* node, std::string_view key) {
  node = only(node);
  return node == nullptr ? nullptr : only(node->find(key));
}

/// Text of a scalar, or of json0's {"value": ...}.
std::string text_of(const base::Node* node) {
  if (const base::Node* value = under(node, "value"); value != nullptr) node = value;
  return node != nullptr && node->kind == base::Node::Kind::scalar ? node->text : std::string();
}

/// "100GbaseCR4 - ...", as IEEE 802.3 names it.
base::BytesPerSecond rate_of(std::string_view type) {
  double rate = 0;
  const auto [stop, status] = std::from_chars(type.data(), type.data() + type.size(), rate);
  if (status != std::errc() || !(rate > 0 && rate < 1e5)) return {};
  const std::string rest = lower_case(std::string_view(stop, type.data() + type.size()));
  if (rest.starts_with("gbase")) return base::BytesPerSecond::from_gbit(rate);
  if (rest.starts_with("base")) return base::BytesPerSecond::from_gbit(rate / 1000);
  return {};
}

class Reader {
 public:
  base::Result<FoundCluster> read(std::span<const DumpFile> files) {
    for (const DumpFile& file : files) read_file(file);
    if (!problems_.empty()) return tl::unexpected(std::move(problems_));
    return table_.build("lldp", files.front().name, std::move(notes_));
  }

 private:
  void read_file(const DumpFile& file) {
    const auto document = base::parse_json(file.text, file.name);
    if (!document) {
      problems_.insert(problems_.end(), document.error().begin(), document.error().end());
      return;
    }
    document_ = &*document;
    device_ = device_of_file(file.name);
    const base::Node* lldp = under(&document->root, "lldp");
    if (lldp == nullptr || lldp->kind != base::Node::Kind::map) {
      error(document->root, "no map 'lldp'", "write it with: lldpctl -f json");
      return;
    }
    const base::Node* interfaces = lldp->find("interface");
    if (interfaces == nullptr) {
      notes_.push_back(
          {{file.name}, fmt::format("{} sees no neighbour", device_), "", base::Severity::note});
      return;
    }
    if (interfaces->kind == base::Node::Kind::sequence)
      for (const base::Node& one : interfaces->items) read_interface(one);
    else
      read_interface(*interfaces);
  }

  void error(const base::Node& node, std::string message, std::string hint = {}) {
    problems_.push_back({document_->where(node), std::move(message), std::move(hint)});
  }

  /// {"eth4": {...}, ...}, or json0's {"name": "eth4", ...}.
  void read_interface(const base::Node& node) {
    if (node.kind != base::Node::Kind::map) return error(node, "an interface is a map");
    if (const base::Node* name = node.find("name");
        name != nullptr && name->kind == base::Node::Kind::scalar)
      return read_neighbour(name->text, node);
    for (const base::Node::Entry& entry : node.entries) read_neighbour(entry.key, entry.value);
  }

  void read_neighbour(const std::string& name, const base::Node& node) {
    const base::Node* chassis = under(&node, "chassis");
    const base::Node* port = under(&node, "port");
    if (chassis == nullptr || chassis->kind != base::Node::Kind::map || port == nullptr)
      return error(node, fmt::format("interface '{}' tells no chassis and port", name));
    NeighbourTable::Row row;
    row.where = document_->where(node);
    row.from = {device_, name, ""};
    row.to.device = text_of(chassis->find("name"));
    if (row.to.device.empty() && chassis->find("id") == nullptr && !chassis->entries.empty()) {
      row.to.device = chassis->entries.front().key;
      chassis = only(&chassis->entries.front().value);
    }
    if (row.to.device.empty()) row.to.device = text_of(under(chassis, "id"));
    if (row.to.device.empty())
      return error(node, fmt::format("the neighbour of '{}' has no name and no id", name));
    const base::Node* id = under(port, "id");
    const std::string type = text_of(under(id, "type"));
    // By default hosts name a port by its MAC, and the interface in the description.
    const std::string description = text_of(under(port, "descr"));
    if (type == "mac") {
      row.to.id = lower_case(text_of(id));
      if (description.find(' ') == std::string::npos) row.to.port = description;
    } else {
      row.to.port = text_of(id);
    }
    row.rate = rate_of(text_of(under(under(port, "auto-negotiation"), "current")));
    table_.add(std::move(row));
  }

  const base::Document* document_ = nullptr;
  std::string device_;
  NeighbourTable table_;
  base::Diagnostics problems_;
  base::Diagnostics notes_;
};

}  // namespace

bool is_lldp(std::string_view text) {
  const std::string_view begin = text.substr(0, 4096);
  return begin.find("\"lldp\"") != std::string_view::npos && trimmed(begin).starts_with('{');
}

base::Result<FoundCluster> read_lldp(std::span<const DumpFile> files, const ImportContext&) {
  return Reader().read(files);
}

}  // namespace topology
