#include <fmt/format.h>

#include <charconv>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/document.hpp"
#include "topology/import/fabric_formats.hpp"
#include "topology/import/neighbours.hpp"
#include "topology/import/text_lines.hpp"

/// What one SONiC switch says of its neighbours: config_db.json (tables DEVICE_NEIGHBOR and PORT,
/// sonic-swss's schema), or the text of `show lldp table`. The text does not name the switch, so
/// its file must.
namespace topology {

namespace {

std::string text_of(const base::Node* map, std::string_view key) {
  const base::Node* value = map == nullptr ? nullptr : map->find(key);
  return value != nullptr && value->kind == base::Node::Kind::scalar ? value->text : std::string();
}

class Reader {
 public:
  base::Result<FoundCluster> read(std::span<const DumpFile> files) {
    for (const DumpFile& file : files)
      trimmed(file.text.substr(0, 4096)).find('{') == 0 ? read_config(file) : read_table(file);
    if (!problems_.empty()) return tl::unexpected(std::move(problems_));
    return table_.build("sonic", files.front().name, {});
  }

 private:
  using Kind = NeighbourTable::Kind;

  void read_config(const DumpFile& file) {
    const auto document = base::parse_json(file.text, file.name);
    if (!document) {
      problems_.insert(problems_.end(), document.error().begin(), document.error().end());
      return;
    }
    const base::Node& root = document->root;
    const base::Node* neighbours = root.find("DEVICE_NEIGHBOR");
    if (neighbours == nullptr || neighbours->kind != base::Node::Kind::map) {
      problems_.push_back({document->where(root), "no map 'DEVICE_NEIGHBOR'",
                           "without it, import the output of: show lldp table"});
      return;
    }
    const base::Node* metadata = root.find("DEVICE_METADATA");
    std::string device =
        text_of(metadata == nullptr ? nullptr : metadata->find("localhost"), "hostname");
    if (device.empty()) device = device_of_file(file.name);
    table_.set_kind(device, Kind::fabric_switch);
    read_kinds(root.find("DEVICE_NEIGHBOR_METADATA"));
    const base::Node* ports = root.find("PORT");
    for (const base::Node::Entry& entry : neighbours->entries) {
      NeighbourTable::Row row;
      row.where = document->where(entry.value);
      row.from = {device, entry.key, ""};
      row.to = {text_of(&entry.value, "name"), text_of(&entry.value, "port"), ""};
      if (row.to.device.empty()) {
        problems_.push_back(
            {row.where, fmt::format("the neighbour of '{}' has no 'name'", entry.key), ""});
        continue;
      }
      read_port(*document, ports == nullptr ? nullptr : ports->find(entry.key), row);
      table_.add(std::move(row));
    }
  }

  void read_kinds(const base::Node* metadata) {
    if (metadata == nullptr) return;
    for (const base::Node::Entry& entry : metadata->entries) {
      const std::string type = text_of(&entry.value, "type");
      if (type == "Server")
        table_.set_kind(entry.key, Kind::host);
      else if (type.find("Router") != std::string::npos)
        table_.set_kind(entry.key, Kind::fabric_switch);
    }
  }

  /// "speed" is in Mbit/s.
  void read_port(const base::Document& document, const base::Node* port, NeighbourTable::Row& row) {
    if (port == nullptr) return;
    row.down = text_of(port, "admin_status") == "down";
    const std::string speed = text_of(port, "speed");
    if (speed.empty()) return;
    double mbit = 0;
    const auto [stop, status] = std::from_chars(speed.data(), speed.data() + speed.size(), mbit);
    if (status == std::errc() && stop == speed.data() + speed.size() && mbit > 0 && mbit <= 1e8) {
      row.rate = base::BytesPerSecond::from_gbit(mbit / 1000);
      return;
    }
    problems_.push_back({document.where(*port->find("speed")),
                         fmt::format("'speed' is '{}', must be a number of Mbit/s", speed), ""});
  }

  /// Columns begin where the dashes under the header do.
  static std::vector<std::size_t> columns_of(std::string_view dashes) {
    std::vector<std::size_t> columns;
    for (std::size_t i = 0; i < dashes.size(); ++i)
      if (dashes[i] == '-' && (i == 0 || dashes[i - 1] == ' ')) columns.push_back(i);
    return columns;
  }

  void read_table(const DumpFile& file) {
    const std::string device = device_of_file(file.name);
    table_.set_kind(device, Kind::fabric_switch);
    TextLines lines(file.text, file.name);
    std::vector<std::size_t> columns;
    bool header = false;
    while (lines.next()) {
      const std::string_view line = lines.line();
      if (line.starts_with("LocalPort")) {
        header = true;
      } else if (header && columns.empty()) {
        columns = columns_of(line);
        if (columns.size() < 3) {
          problems_.push_back(
              {lines.where(line), "no dashes under the header", "write it with: show lldp table"});
          return;
        }
      } else if (!columns.empty() && !line.starts_with("---") &&
                 !line.starts_with("Total entries") && !line.empty()) {
        read_row(lines, columns, device);
      }
    }
    if (columns.empty())
      problems_.push_back({{file.name},
                           "no table with LocalPort and RemoteDevice",
                           "write it with: show lldp table"});
  }

  void read_row(const TextLines& lines, const std::vector<std::size_t>& columns,
                const std::string& device) {
    const std::string_view line = lines.line();
    const auto cell = [&](std::size_t i) {
      if (i >= columns.size() || columns[i] >= line.size()) return std::string();
      const std::size_t end = i + 1 < columns.size() ? columns[i + 1] : line.size();
      return printable(trimmed(line.substr(columns[i], end - columns[i])));
    };
    NeighbourTable::Row row;
    row.where = lines.where();
    row.from = {device, cell(0), ""};
    row.to = {cell(1), cell(2), ""};
    if (row.from.port.empty() || row.to.device.empty()) {
      problems_.push_back({lines.where(line), "no row of LocalPort and RemoteDevice", ""});
      return;
    }
    // A host says its MAC; the name of the interface is the description.
    if (row.to.port.size() == 17 && row.to.port[2] == ':') {
      row.to.id = lower_case(row.to.port);
      row.to.port = cell(4).find(' ') == std::string::npos ? cell(4) : "";
    }
    table_.add(std::move(row));
  }

  NeighbourTable table_;
  base::Diagnostics problems_;
};

}  // namespace

bool is_sonic(std::string_view text) {
  if (text.substr(0, 4096).find("LocalPort") != std::string_view::npos &&
      text.substr(0, 4096).find("RemoteDevice") != std::string_view::npos)
    return true;
  return text.find("\"DEVICE_NEIGHBOR\"") != std::string_view::npos;
}

base::Result<FoundCluster> read_sonic(std::span<const DumpFile> files, const ImportContext&) {
  return Reader().read(files);
}

}  // namespace topology
