#include <algorithm>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>

#include "base/document.hpp"
#include "topology/import/cable_book.hpp"
#include "topology/import/fabric_formats.hpp"
#include "topology/import/infiniband.hpp"
#include "topology/import/text_lines.hpp"

/// The ports that NVIDIA UFM Enterprise lists: GET /ufmRest/resources/ports, an array of maps. Used
/// are description ("Computer IB Port" is a host's), system_name, node_description, guid, number or
/// dname, peer_node_name, peer_node_guid, peer_port_dname, active_speed, active_width, and
/// logical_state. A port with a peer is one end of a cable.
namespace topology {

namespace {

class Reader {
 public:
  explicit Reader(const base::Document& document)
      : document_(document), book_("ufm", document.files.front()) {}

  base::Result<FoundCluster> read() {
    if (document_.root.kind != base::Node::Kind::sequence)
      error(document_.root, "no list of ports", "it is the answer of GET /ufmRest/resources/ports");
    for (const base::Node& port : document_.root.items) note_kind(port);
    if (!problems_.empty()) return tl::unexpected(std::move(problems_));
    for (const base::Node& port : document_.root.items) read_port(port);
    if (!problems_.empty()) return tl::unexpected(std::move(problems_));
    return book_.take();
  }

 private:
  void error(const base::Node& node, std::string message, std::string hint = {}) {
    problems_.push_back({document_.where(node), std::move(message), std::move(hint)});
  }

  static std::string text(const base::Node& port, std::string_view key) {
    const base::Node* value = port.find(key);
    return value != nullptr && value->kind == base::Node::Kind::scalar ? value->text
                                                                       : std::string();
  }

  static bool is_host(const base::Node& port) {
    return text(port, "description").find("Computer") != std::string::npos;
  }

  void note_kind(const base::Node& port) {
    if (port.kind != base::Node::Kind::map) return error(port, "a port is a map");
    if (text(port, "system_name").empty()) return error(port, "a port without 'system_name'");
    host_names_[text(port, "system_name")] = is_host(port);
  }

  CableEnd end_of(bool host, const std::string& system, const std::string& description,
                  const std::string& port, const base::SourceRef& where) {
    CableEnd end;
    end.port = port;
    if (!host) {
      const IbSwitchName said = ib_switch(system);
      end.at = CableEnd::At::fabric_switch;
      end.index = book_.fabric_switch({.id = said.name, .model = said.model, .where = where});
      return end;
    }
    // UFM calls the port of a host "HCA-1/1"; the description has the NIC's own name.
    const std::size_t slash = std::min(port.find('/'), port.size());
    const std::string own = ib_adapter(description).nic;
    end.index = book_.node(system, where);
    end.nic = book_.nic(end.index, slash < port.size() ? port.substr(0, slash) : own, "");
    end.port = port.substr(std::min(slash + 1, port.size()));
    return end;
  }

  void read_port(const base::Node& port) {
    const std::string peer = text(port, "peer_node_name");
    const base::SourceRef where = document_.where(port);
    if (peer.empty() || peer == "N/A") {
      if (is_host(port))
        book_.remarks().add("ports of hosts without a peer", text(port, "node_description"), where,
                            "", base::Severity::warning);
      return;
    }
    const auto known = host_names_.find(peer);
    // A cable joins a host to a switch: a peer that lists no port of its own is the other kind.
    const bool peer_is_host = known != host_names_.end() && known->second;
    FoundCable cable;
    cable.where = where;
    cable.a = end_of(is_host(port), text(port, "system_name"), text(port, "node_description"),
                     text(port, text(port, "dname").empty() ? "number" : "dname"), where);
    cable.b = end_of(peer_is_host, peer, text(port, "peer_node_description"),
                     text(port, "peer_port_dname"), where);
    if (const int lanes = ib_lanes(text(port, "active_width")); lanes > 0)
      if (const auto lane = ib_lane_rate(text(port, "active_speed"))) cable.rate = *lane * lanes;
    if (cable.rate == base::BytesPerSecond())
      book_.remarks().add("ports without a width and speed", book_.name_of(cable.a), where);
    if (text(port, "logical_state") == "Down") cable.state = CableState::down;
    book_.add(std::move(cable));
  }

  const base::Document& document_;
  CableBook book_;
  base::Diagnostics problems_;
  std::unordered_map<std::string, bool> host_names_;
};

}  // namespace

bool is_ufm(std::string_view text) {
  const std::string_view begin = text.substr(0, 1 << 16);
  return begin.find("\"peer_node_name\"") != std::string_view::npos &&
         begin.find("\"system_name\"") != std::string_view::npos;
}

base::Result<FoundCluster> read_ufm(std::span<const DumpFile> files, const ImportContext&) {
  const auto document = base::parse_json(files.front().text, files.front().name);
  if (!document) return tl::unexpected(document.error());
  return Reader(*document).read();
}

}  // namespace topology
