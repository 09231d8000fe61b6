#include "topology/import/neighbours.hpp"

#include <algorithm>
#include <array>
#include <utility>

#include "topology/import/cable_book.hpp"
#include "topology/import/text_lines.hpp"

namespace topology {

namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }

}  // namespace

bool is_switch_port(std::string_view name) {
  constexpr std::array<std::string_view, 8> prefixes{"Ethernet", "swp", "Eth", "et-",
                                                     "xe-",      "ge-", "te-", "HundredGig"};
  if (name.empty()) return false;
  if (is_digit(name.front())) return name.find('/') != std::string_view::npos;
  return std::any_of(prefixes.begin(), prefixes.end(), [&](std::string_view prefix) {
    return name.starts_with(prefix) && name.find_first_of("0123456789") != std::string_view::npos;
  });
}

std::string device_of_file(std::string_view file) {
  file.remove_prefix(std::min(file.rfind('/') + 1, file.size()));
  return printable(file.substr(0, file.rfind('.')));
}

std::unordered_map<std::string, NeighbourTable::Kind> NeighbourTable::find_kinds() const {
  std::unordered_map<std::string, int> votes;  // switch ports less others
  for (const Row& row : rows_)
    for (const End* end : {&row.from, &row.to})
      if (!end->port.empty()) votes[end->device] += is_switch_port(end->port) ? 1 : -1;
  std::unordered_map<std::string, Kind> kinds = kinds_;
  for (const auto& [device, vote] : votes) {
    Kind& kind = kinds[device];
    if (kind == Kind::untold) kind = vote > 0 ? Kind::fabric_switch : Kind::host;
  }
  return kinds;
}

FoundCluster NeighbourTable::build(std::string format, std::string file,
                                   base::Diagnostics notes) const {
  const std::unordered_map<std::string, Kind> kinds = find_kinds();
  CableBook book(std::move(format), std::move(file));
  const auto end_of = [&](const End& from, const base::SourceRef& where) {
    CableEnd end;
    const auto kind = kinds.find(from.device);
    if (kind != kinds.end() && kind->second == Kind::fabric_switch) {
      end.at = CableEnd::At::fabric_switch;
      end.index = book.fabric_switch({.id = from.device, .where = where});
      end.port = from.port;
    } else {
      end.index = book.node(from.device, where);
      end.nic = book.nic(end.index, from.port, from.id);
    }
    return end;
  };
  for (const Row& row : rows_) {
    FoundCable cable;
    cable.a = end_of(row.from, row.where);
    cable.b = end_of(row.to, row.where);
    cable.rate = row.rate;
    cable.state = row.down ? CableState::down : CableState::up;
    cable.where = row.where;
    book.add(std::move(cable));
  }
  FoundCluster found = book.take();
  found.notes.insert(found.notes.begin(), notes.begin(), notes.end());
  return found;
}

}  // namespace topology
