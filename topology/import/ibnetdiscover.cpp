#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "topology/import/cable_book.hpp"
#include "topology/import/fabric_formats.hpp"
#include "topology/import/infiniband.hpp"
#include "topology/import/text_lines.hpp"

/// The topology file of ibnetdiscover(8): a record for each switch, channel adapter and router,
/// with a line for each cabled port. Format: its manual page, and rdma-core's
/// infiniband-diags/ibnetdiscover.c.
namespace topology {

namespace {

constexpr std::size_t mistakes_told = 20;

struct Device {
  char kind = 'S';  ///< as in the ids: S switch, H channel adapter, R router
  std::string guid;
  std::string description;
  std::string image_guid;  ///< of the card or system that it is a part of; empty: not told
  base::SourceRef where;
};

/// A port as a record tells it.
struct PortLine {
  std::size_t from = 0;  ///< into the devices
  int port = 0;
  std::size_t to = 0;
  int peer_port = 0;
  base::BytesPerSecond rate;
  base::SourceRef where;
};

/// What stands behind a '#': a description in quotes, and "4xNDR" somewhere behind it.
struct Comment {
  std::optional<std::string_view> description;
  base::BytesPerSecond rate;
};

Comment read_comment(std::string_view text) {
  Comment comment;
  const std::size_t begin = text.find('"');
  const std::size_t end = text.rfind('"');  // a description may have quotes in it
  if (begin == std::string_view::npos || begin == end) return comment;
  comment.description = text.substr(begin + 1, end - begin - 1);
  LineScanner scan(text.substr(end + 1));
  while (!scan.rest().empty()) {
    scan.skip_spaces();
    const std::string_view word = scan.word();
    const std::size_t x = word.find('x');
    if (x == std::string_view::npos) continue;
    const auto lane = ib_lane_rate(word.substr(x + 1));
    if (const int lanes = ib_lanes(word.substr(0, x + 1)); lanes > 0 && lane) {
      comment.rate = *lane * lanes;
      break;
    }
  }
  return comment;
}

class Reader {
 public:
  explicit Reader(const DumpFile& file)
      : lines_(file.text, file.name), book_("ibnetdiscover", file.name) {}

  base::Result<FoundCluster> read() {
    while (lines_.next() && problems_.size() < mistakes_told) read_line(lines_.line());
    if (devices_.empty() && problems_.empty())
      error(lines_.where(), "no switch and no channel adapter", "write it with: ibnetdiscover");
    if (!problems_.empty()) return tl::unexpected(std::move(problems_));
    find_hosts();
    for (const PortLine& line : ports_) add_cable(line);
    tell_left_out();
    return book_.take();
  }

 private:
  void error(base::SourceRef where, std::string message, std::string hint = {}) {
    problems_.push_back({std::move(where), std::move(message), std::move(hint)});
  }

  void read_line(std::string_view line) {
    const auto starts = [&](std::string_view word) { return line.starts_with(word); };
    if (line.empty() || starts("#") || starts("vendid=") || starts("devid=") ||
        starts("switchguid=") || starts("caguid=") || starts("rtguid=") || starts("Chassis ") ||
        starts("Non-Chassis Nodes") || starts("Hostname:"))
      return;
    if (starts("sysimgguid=")) {
      LineScanner scan(line.substr(line.find('=') + 1));
      image_guid_ = ib_guid(scan.word()).value_or("");
    } else if (starts("[")) {
      read_port(line);
    } else if (starts("Switch") || starts("Ca\t") || starts("Ca ") || starts("Rt\t") ||
               starts("Rt ")) {
      read_header(line);
    } else if (starts("ibwarn:") || starts("ibdebug:") || starts("src/") || starts("iberror:")) {
      book_.remarks().add("warnings of ibnetdiscover among its output, passed over", "",
                          lines_.where(), "", base::Severity::warning);
    } else {
      error(lines_.where(line), "no line of an ibnetdiscover topology",
            "write it with: ibnetdiscover, without -l, -p or --diff");
    }
  }

  /// `"S-0002c90300a1b2c0"`: the device, added when it is new.
  std::optional<std::size_t> read_id(LineScanner& scan) {
    const std::string_view at = scan.rest();
    if (scan.take("\"")) {
      const std::optional<std::string_view> id = scan.until("\"");
      if (id && id->size() > 2 && (*id)[1] == '-' &&
          std::string_view("SHR").find((*id)[0]) != std::string_view::npos)
        if (const auto guid = ib_guid(id->substr(2))) return device((*id)[0], *guid);
    }
    error(lines_.where(at), "no id of a device", "such as \"S-0002c90300a1b2c0\"");
    return std::nullopt;
  }

  std::size_t device(char kind, const std::string& guid) {
    const auto [at, is_new] = device_at_.emplace(kind + guid, devices_.size());
    if (is_new) devices_.push_back({kind, guid, "", "", lines_.where()});
    return at->second;
  }

  void describe(Device& device, const Comment& comment) {
    if (!comment.description || !device.description.empty()) return;
    device.description = *comment.description;
    if (printable(device.description) != device.description)
      book_.remarks().add("descriptions with bytes that are no text, written as \\xNN",
                          printable(device.description), lines_.where(*comment.description));
  }

  void read_header(std::string_view line) {
    current_.reset();
    LineScanner scan(line);
    scan.word();
    scan.skip_spaces();
    const std::string_view at = scan.rest();
    if (!scan.number()) return error(lines_.where(at), "no number of ports");
    scan.skip_spaces();
    const std::optional<std::size_t> index = read_id(scan);
    if (!index) return;
    current_ = index;
    Device& device = devices_[*index];
    if (device.image_guid.empty()) device.image_guid = image_guid_;
    image_guid_.clear();
    if (scan.until("#")) describe(device, read_comment(scan.rest()));
  }

  /// "[1]" or "[1][ext 14]".
  std::optional<int> read_port_number(LineScanner& scan) {
    const std::string_view at = scan.rest();
    if (scan.take("["))
      if (const std::optional<int> port = scan.number(); port && scan.take("]")) {
        if (!scan.take("[ext ") || scan.until("]")) return port;
      }
    error(lines_.where(at), "no port number in brackets");
    return std::nullopt;
  }

  void read_port(std::string_view line) {
    LineScanner scan(line);
    PortLine port;
    port.where = lines_.where();
    const std::optional<int> number = read_port_number(scan);
    if (!number) return;
    if (scan.take("(")) scan.until(")");  // GUID of the port
    scan.skip_spaces();
    const std::optional<std::size_t> to = read_id(scan);
    if (!to) return;
    const std::optional<int> peer_port = read_port_number(scan);
    if (!peer_port) return;
    if (!current_)
      return error(lines_.where(line), "a port without a device above it",
                   "is a part of the file missing?");
    port.from = *current_;
    port.port = *number;
    port.to = *to;
    port.peer_port = *peer_port;
    if (scan.until("#")) {
      const Comment comment = read_comment(scan.rest());
      describe(devices_[*to], comment);
      port.rate = comment.rate;
    }
    if (port.rate == base::BytesPerSecond())
      book_.remarks().add("cable ends without a width and speed", "", lines_.where());
    ports_.push_back(std::move(port));
  }

  /// By their descriptions; where that names none, by another adapter of the same card.
  void find_hosts() {
    std::unordered_map<std::string, std::string> host_of_image;
    for (const Device& device : devices_) {
      const IbDescription said =
          device.kind == 'H' ? ib_adapter(device.description) : IbDescription();
      hosts_.push_back(said);
      if (said.host.empty() || device.image_guid.empty()) continue;
      const auto [at, is_new] = host_of_image.emplace(device.image_guid, said.host);
      if (!is_new && at->second != said.host) at->second.clear();
    }
    for (std::size_t i = 0; i < devices_.size(); ++i) {
      const Device& device = devices_[i];
      if (device.kind != 'H' || !hosts_[i].host.empty() || hosts_[i].aggregation) continue;
      const auto at = host_of_image.find(device.image_guid);
      if (at == host_of_image.end() || at->second.empty()) continue;
      hosts_[i].host = at->second;
      book_.remarks().add("adapters that name no host, put to the host of the same card",
                          device.guid, device.where);
    }
    for (std::size_t i = 0; i < devices_.size(); ++i) place(i);
  }

  void place(std::size_t index) {
    const Device& device = devices_[index];
    CableEnd& end = ends_.emplace_back();
    if (device.kind != 'H') {
      IbSwitchName said = ib_switch(device.description);
      end.at = CableEnd::At::fabric_switch;
      end.index = book_.fabric_switch({.id = device.guid,
                                       .name = std::move(said.name),
                                       .model = std::move(said.model),
                                       .where = device.where});
      if (device.kind == 'R')
        book_.remarks().add("routers, taken for switches", book_.name_of(end), device.where);
    } else if (!hosts_[index].host.empty()) {
      end.index = book_.node(hosts_[index].host, device.where);
      end.nic = book_.nic(end.index, hosts_[index].nic, device.guid);
    }
  }

  bool is_placed(std::size_t index) const {
    return devices_[index].kind != 'H' || !hosts_[index].host.empty();
  }

  void add_cable(const PortLine& line) {
    if (!is_placed(line.from) || !is_placed(line.to)) return;
    FoundCable cable;
    cable.a = ends_[line.from];
    cable.a.port = std::to_string(line.port);
    cable.b = ends_[line.to];
    cable.b.port = std::to_string(line.peer_port);
    cable.rate = line.rate;
    cable.where = line.where;
    book_.add(std::move(cable));
  }

  void tell_left_out() {
    for (std::size_t i = 0; i < devices_.size(); ++i) {
      const Device& device = devices_[i];
      if (hosts_[i].aggregation)
        book_.remarks().add("SHARP aggregation nodes, which are parts of switches, left out",
                            device.guid, device.where);
      else if (!is_placed(i))
        book_.remarks().add("channel adapters whose host nobody tells, left out",
                            fmt::format("{} '{}'", device.guid, printable(device.description)),
                            device.where, "rdma-ndd writes host names into node descriptions",
                            base::Severity::warning);
    }
  }

  TextLines lines_;
  CableBook book_;
  base::Diagnostics problems_;
  std::vector<Device> devices_;
  std::unordered_map<std::string, std::size_t> device_at_;  ///< by kind and GUID
  std::vector<PortLine> ports_;
  std::vector<IbDescription> hosts_;  ///< of each device
  std::vector<CableEnd> ends_;        ///< of each device, without a port
  std::optional<std::size_t> current_;
  std::string image_guid_;  ///< of the record that begins
};

}  // namespace

bool is_ibnetdiscover(std::string_view text) {
  const std::string_view begin = text.substr(0, 1 << 16);
  return begin.find("switchguid=0x") != std::string_view::npos ||
         begin.find("caguid=0x") != std::string_view::npos ||
         begin.find("# Topology file: generated on") != std::string_view::npos;
}

base::Result<FoundCluster> read_ibnetdiscover(std::span<const DumpFile> files,
                                              const ImportContext&) {
  return Reader(files.front()).read();
}

}  // namespace topology
