#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <map>
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

/// The links of iblinkinfo(8): a line for each port, down ones too. With -l each line has both
/// GUIDs; without, ports stand under a header of their device, and the far end has only a name.
/// Format: its manual page, and rdma-core's infiniband-diags/iblinkinfo.c.
namespace topology {

namespace {

constexpr std::size_t mistakes_told = 20;

enum class Kind { untold, fabric_switch, adapter };

/// What a line says of one end.
struct End {
  std::string guid;         ///< of a switch, or of a port of an adapter; empty: not told
  std::string description;  ///< empty: nothing is there
  int lid = 0;              ///< 0: no subnet manager gave one
  int port = 0;
  Kind kind = Kind::untold;
};

struct Link {
  End from;
  End to;
  base::BytesPerSecond rate;
  base::BytesPerSecond built;
  std::string trouble;
  bool up = false;
  base::SourceRef where;
};

struct Device {
  std::string guid;
  std::string description;
  Kind kind = Kind::untold;
  int lines = 0;
  base::SourceRef where;
};

/// What stands in "==( 4X  53.125 Gbps   Active/  LinkUp)==>".
struct LinkState {
  int lanes = 0;
  base::BytesPerSecond lane;
  std::string speed;  ///< as printed
  bool up = false;
};

/// "53.125 Gbps" or "FDR10", in front of `scan`; 0: neither.
base::BytesPerSecond read_speed(LineScanner& scan, std::string& printed) {
  const LineScanner before = scan;
  const std::string_view word = scan.word();
  double gbit = 0;
  const auto [stop, status] = std::from_chars(word.data(), word.data() + word.size(), gbit);
  if (status == std::errc() && stop == word.data() + word.size() && gbit > 0 && gbit < 1e4) {
    scan.skip_spaces();
    if (scan.take("Gbps")) {
      printed = fmt::format("{} Gbps", word);
      return ib_lane_rate(gbit);
    }
  } else if (const auto named = ib_lane_rate(word)) {
    printed = word;
    return *named;
  }
  scan = before;
  return {};
}

LinkState read_state(std::string_view text) {
  LinkState state;
  LineScanner scan(text);
  scan.skip_spaces();
  if (state.lanes = ib_lanes(scan.rest().substr(0, scan.rest().find(' '))); state.lanes > 0) {
    scan.word();
    scan.skip_spaces();
    state.lane = read_speed(scan, state.speed);
  }
  state.up = scan.rest().find("LinkUp") != std::string_view::npos;
  return state;
}

/// "Could be 12X Could be 10.0 Gbps": what the link was made for.
void read_could_be(std::string_view text, const LinkState& state, Link& link) {
  int lanes = state.lanes;
  base::BytesPerSecond lane = state.lane;
  std::string could;
  for (LineScanner scan(text); scan.until("Could be ");) {
    std::string speed;
    if (const int wide = ib_lanes(scan.rest().substr(0, scan.rest().find(' '))); wide > 0) {
      lanes = std::max(lanes, wide);
      could += fmt::format(" {}X", wide);
    } else if (const base::BytesPerSecond fast = read_speed(scan, speed); fast > lane) {
      lane = fast;
      could += " " + speed;
    }
  }
  if (!(lane * lanes > link.rate)) return;
  link.built = lane * lanes;
  link.trouble = fmt::format("{}X {}, could be{}", state.lanes, state.speed, could);
}

class Reader {
 public:
  explicit Reader(const DumpFile& file)
      : lines_(file.text, file.name), book_("iblinkinfo", file.name) {}

  base::Result<FoundCluster> read() {
    while (lines_.next() && problems_.size() < mistakes_told) read_line(lines_.line());
    if (links_.empty() && problems_.empty())
      error(lines_.where(), "no link", "write it with: iblinkinfo -l");
    for (const Link& link : links_) {
      from_.push_back(find_or_add(link.from, link.where));
      ++devices_[from_.back()].lines;
    }
    for (const Link& link : links_) to_.push_back(find_far(link));
    if (!problems_.empty()) return tl::unexpected(std::move(problems_));
    for (const Device& device : devices_) place(device);
    for (std::size_t i = 0; i < links_.size(); ++i) add_cable(i);
    return book_.take();
  }

 private:
  void error(base::SourceRef where, std::string message, std::string hint = {}) {
    if (problems_.size() < mistakes_told)
      problems_.push_back({std::move(where), std::move(message), std::move(hint)});
  }

  void read_line(std::string_view line) {
    if (line.empty() || line.starts_with("#")) return;
    if (line.starts_with("ibwarn:") || line.starts_with("ibdebug:") || line.starts_with("src/"))
      return book_.remarks().add("warnings of iblinkinfo among its output, passed over", "",
                                 lines_.where(), "", base::Severity::warning);
    if (line.find("==>") != std::string_view::npos) return read_link(line);
    if (!read_header(line))
      error(lines_.where(line), "no line of iblinkinfo", "write it with: iblinkinfo -l");
  }

  /// "Switch: 0x0002c90300a1b2c0 leaf-1:" or "CA: host mlx5_0:"; routers are called RT.
  bool read_header(std::string_view line) {
    LineScanner scan(line);
    const bool is_switch = scan.take("Switch");
    if (!is_switch && !scan.take("CA") && !scan.take("RT")) return false;
    header_ = End();
    scan.take(":");
    scan.skip_spaces();
    if (scan.rest().starts_with("0x")) header_.guid = ib_guid(scan.word()).value_or("");
    std::string_view name = trimmed(scan.rest());
    if (!name.ends_with(':')) return false;
    name.remove_suffix(1);
    header_.description = name;
    header_.kind = is_switch ? Kind::fabric_switch : Kind::adapter;
    return true;
  }

  /// What both ends have: a GUID in some variants, with -l a description in quotes, then
  /// "lid port[external]". \returns false when there is no port.
  static bool read_end(LineScanner& scan, End& end) {
    scan.skip_spaces();
    if (scan.rest().starts_with("0x")) {
      end.guid = ib_guid(scan.word()).value_or("");
      scan.skip_spaces();
    }
    if (scan.rest().starts_with("\"")) {
      // The description may have quotes in it; what follows is a number.
      scan.take("\"");
      const std::size_t close = scan.rest().rfind('"');
      if (close == std::string_view::npos) return false;
      end.description = trimmed(scan.rest().substr(0, close));
      scan = LineScanner(scan.rest().substr(close + 1));
      scan.skip_spaces();
    }
    if (const std::optional<int> lid = scan.number()) {
      end.lid = *lid;
      scan.skip_spaces();
      const std::optional<int> port = scan.number();
      if (!port) return false;
      end.port = *port;
    }
    return scan.take("[") && scan.until("]");
  }

  void read_link(std::string_view line) {
    const std::size_t arrow = line.find("==(");
    const std::size_t head = line.find(")==>");
    if (arrow == std::string_view::npos || head == std::string_view::npos || head < arrow)
      return error(lines_.where(line), "no state of a link, such as ==( 4X 53.125 Gbps ...)==>");
    Link link;
    link.where = lines_.where();
    LineScanner near(line.substr(0, arrow));
    if (!read_end(near, link.from))
      return error(lines_.where(line), "no \"lid port[ ]\" in front of the link");
    if (link.from.description.empty()) {  // not -l: the device is that of the header
      if (header_.kind == Kind::untold)
        return error(lines_.where(line), "a port without a device above it",
                     "is a part of the file missing?");
      // Far ends tell no GUID here: adapters go by name and lid on both sides.
      link.from.guid = header_.guid;
      link.from.description = header_.description;
      link.from.kind = header_.kind;
    }
    if (link.from.guid.empty() && link.from.description.empty())
      return error(lines_.where(line), "neither GUID nor name of the device");
    const LinkState state = read_state(line.substr(arrow + 3, head - arrow - 3));
    link.rate = state.lane * state.lanes;
    link.up = state.up;
    LineScanner far(line.substr(head + 4));
    if (!read_end(far, link.to)) return error(lines_.where(line), "no far end of the link");
    far.skip_spaces();
    // "description" (Could be ...): the last quote in front of the last parenthesis closes it.
    const std::string_view rest = far.rest();
    const std::size_t open = rest.find('"');
    const std::size_t close = rest.rfind('"');
    if (open == std::string_view::npos || open == close)
      return error(lines_.where(rest), "no description of the far end in quotes");
    link.to.description = trimmed(rest.substr(open + 1, close - open - 1));
    read_could_be(rest.substr(close + 1), state, link);
    links_.push_back(std::move(link));
  }

  static std::string key_of(const End& end) {
    return end.guid.empty() ? fmt::format("{}\n{}", end.description, end.lid) : end.guid;
  }

  std::size_t find_or_add(const End& end, const base::SourceRef& where) {
    const auto [at, is_new] = device_at_.emplace(key_of(end), devices_.size());
    if (is_new) {
      devices_.push_back({end.guid, end.description, end.kind, 0, where});
      by_name_[{end.description, end.lid}].push_back(at->second);
    }
    return at->second;
  }

  /// The device at the far end. Without a GUID it is the one of that name and lid.
  std::optional<std::size_t> find_far(const Link& link) {
    if (link.to.description.empty() && link.to.guid.empty()) return std::nullopt;
    if (!link.to.guid.empty()) return find_or_add(link.to, link.where);
    const auto same = by_name_.find({link.to.description, link.to.lid});
    if (same == by_name_.end()) return find_or_add(link.to, link.where);
    if (same->second.size() > 1)
      error(link.where,
            fmt::format("{} devices are called '{}'", same->second.size(),
                        printable(link.to.description)),
            "write it with: iblinkinfo -l, which tells GUIDs");
    return same->second.front();
  }

  void place(const Device& device) {
    CableEnd& end = ends_.emplace_back();
    placed_.push_back(true);
    if (printable(device.description) != device.description)
      book_.remarks().add("descriptions with bytes that are no text, written as \\xNN",
                          printable(device.description), device.where);
    // -l does not say what is a switch: its description does, and that it tells many ports.
    const bool adapter = device.kind == Kind::adapter ||
                         (device.kind == Kind::untold && device.lines <= adapter_ports_max &&
                          is_ib_adapter(device.description));
    if (!adapter) {
      IbSwitchName said = ib_switch(device.description);
      end.at = CableEnd::At::fabric_switch;
      end.index = book_.fabric_switch({.id = device.guid.empty() ? said.name : device.guid,
                                       .name = said.name,
                                       .model = std::move(said.model),
                                       .where = device.where});
      return;
    }
    const IbDescription said = ib_adapter(device.description);
    placed_.back() = !said.host.empty();
    if (said.aggregation)
      book_.remarks().add("SHARP aggregation nodes, which are parts of switches, left out",
                          device.guid, device.where);
    else if (said.host.empty())
      book_.remarks().add("channel adapters whose host nobody tells, left out",
                          fmt::format("{} '{}'", device.guid, printable(device.description)),
                          device.where, "rdma-ndd writes host names into node descriptions",
                          base::Severity::warning);
    if (!placed_.back()) return;
    end.index = book_.node(said.host, device.where);
    // GUIDs here are those of ports: two of one NIC differ.
    end.nic = book_.nic(end.index, said.nic, said.nic.empty() ? device.guid : "");
  }

  void add_cable(std::size_t i) {
    const Link& link = links_[i];
    const CableEnd& from = ends_[from_[i]];
    if (!placed_[from_[i]]) return;
    if (!to_[i]) {
      if (from.at == CableEnd::At::node)
        book_.remarks().add("NICs that are down", book_.name_of(from), link.where, "",
                            base::Severity::warning);
      return;
    }
    if (!placed_[*to_[i]]) return;
    FoundCable cable;
    cable.a = from;
    cable.a.port = std::to_string(link.from.port);
    cable.b = ends_[*to_[i]];
    cable.b.port = std::to_string(link.to.port);
    cable.rate = link.rate;
    cable.built = link.built;
    cable.trouble = link.trouble;
    cable.state = !link.up                              ? CableState::down
                  : link.built > base::BytesPerSecond() ? CableState::degraded
                                                        : CableState::up;
    cable.where = link.where;
    book_.add(std::move(cable));
  }

  static constexpr int adapter_ports_max = 4;

  TextLines lines_;
  CableBook book_;
  base::Diagnostics problems_;
  End header_;
  std::vector<Link> links_;
  std::vector<Device> devices_;
  std::unordered_map<std::string, std::size_t> device_at_;
  std::map<std::pair<std::string, int>, std::vector<std::size_t>> by_name_;  ///< and lid
  std::vector<std::size_t> from_;               ///< device of each link
  std::vector<std::optional<std::size_t>> to_;  ///< the same of its far end; nothing: none
  std::vector<CableEnd> ends_;                  ///< of each device, without a port
  std::vector<bool> placed_;                    ///< of each device: is it in the fabric?
};

}  // namespace

bool is_iblinkinfo(std::string_view text) {
  const std::string_view begin = text.substr(0, 1 << 16);
  const std::size_t arrow = begin.find("==(");
  return arrow != std::string_view::npos && begin.find(")==>", arrow) != std::string_view::npos;
}

base::Result<FoundCluster> read_iblinkinfo(std::span<const DumpFile> files, const ImportContext&) {
  return Reader(files.front()).read();
}

}  // namespace topology
