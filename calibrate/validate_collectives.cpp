#include "calibrate/validate_collectives.hpp"

#include <fmt/format.h>

#include <map>
#include <tuple>
#include <utility>

namespace calibrate {

namespace {

const topology::NodeType* node_type_for(const CollectiveRow& row, int ranks_per_node,
                                        const topology::HardwareRegistry& registry) {
  std::optional<base::BytesPerSecond> network;
  if (row.nic_gbps_per_node > 0) network = base::BytesPerSecond::from_gbit(row.nic_gbps_per_node);
  return topology::nearest_node_type(registry, row.gpu, ranks_per_node, network, row.fabric);
}

std::string size_decade(double bytes) {
  constexpr double mib = 1048576;
  for (const auto& [limit, name] :
       {std::pair{1e3, "1: below 1 kB"}, std::pair{1e4, "2: 1 to 10 kB"},
        std::pair{1e5, "3: 10 to 100 kB"}, std::pair{1e6, "4: 100 kB to 1 MB"},
        std::pair{1e7, "5: 1 to 10 MB"}, std::pair{16 * mib, "6: 10 to 16.8 MB"},
        std::pair{1e8, "7: 16.8 to 100 MB"}, std::pair{1e9, "8: 100 MB to 1 GB"}})
    if (bytes < limit) return name;
  return "9: 1 GB and more";
}

std::string machine(const CollectiveRow& row) {
  std::string name = fmt::format("{} x {} x {}", row.nodes, row.ranks / row.nodes, row.gpu);
  if (row.nodes > 1 && row.nic_gbps_per_node > 0)
    name += fmt::format(", {:.0f} Gbit/s a node", row.nic_gbps_per_node);
  return name;
}

base::ScoredRow scored(const CollectiveRow& row, const Duration& duration) {
  base::ScoredRow out;
  out.id = row.id;
  out.measured = row.time_us * 1e-6;
  out.predicted = duration.time.s();
  base::set_interval(out, duration.spread);
  out.classes = {{"gpu", row.gpu},
                 {"collective", row.collective},
                 {"nodes", std::to_string(row.nodes)},
                 {"machine", machine(row)},
                 {"source", row.source},
                 {"trust", row.trust},
                 {"size", size_decade(row.size_bytes)}};
  constexpr double large = 16 * 1048576;
  if (row.size_bytes >= large && row.trust != "low") {
    out.classes["from 16 MiB, collective"] = row.collective;
    out.classes["from 16 MiB, gpu"] = row.gpu;
    out.classes["from 16 MiB, machine"] = machine(row);
    out.classes["from 16 MiB, machine and collective"] =
        fmt::format("{}, {}", machine(row), row.collective);
  }
  return out;
}

}  // namespace

std::optional<Collective> operation_of(std::string_view name) {
  if (name == "send_recv") return Collective::send_receive;
  for (const auto& [known, op] : base::collective_names)
    if (known == name) return op;
  return std::nullopt;
}

base::Result<std::vector<CollectiveRow>> read_collective_rows(const base::Csv& table) {
  base::Diagnostics problems = base::missing_columns(
      table, {"id", "collective", "gpu", "n_gpus", "n_nodes", "size_bytes", "time_us"});
  if (!problems.empty()) return tl::unexpected(problems);
  std::vector<CollectiveRow> rows;
  for (const base::Csv::Row& fields : table.rows) {
    const base::CsvRow cells(table, fields, problems);
    CollectiveRow row;
    row.id = cells.text("id");
    row.source = cells.text("source");
    row.collective = cells.text("collective");
    row.gpu = cells.text("gpu");
    row.fabric = cells.text("fabric");
    row.trust = cells.text("trust");
    row.ranks = cells.whole("n_gpus").value_or(0);
    row.nodes = cells.whole("n_nodes").value_or(0);
    row.nic_gbps_per_node = cells.number("nic_gbps_per_node").value_or(0);
    row.size_bytes = cells.number("size_bytes").value_or(0);
    row.time_us = cells.number("time_us").value_or(0);
    rows.push_back(std::move(row));
  }
  if (!problems.empty()) return tl::unexpected(problems);
  return rows;
}

std::optional<CollectiveSetting> setting_of(const CollectiveRow& row,
                                            const topology::HardwareRegistry& registry) {
  if (row.ranks < 2 || row.nodes < 1 || row.ranks % row.nodes != 0) return std::nullopt;
  const int per_node = row.ranks / row.nodes;
  const topology::NodeType* type = node_type_for(row, per_node, registry);
  if (type == nullptr) return std::nullopt;
  CollectiveSetting setting{*type, row.nodes, per_node};
  if (row.nic_gbps_per_node > 0 && type->nics > 0)
    setting.node.nic_rate = base::BytesPerSecond::from_gbit(row.nic_gbps_per_node / type->nics);
  if (row.nodes > 1 && !(setting.node.nic_rate.byte() > 0)) return std::nullopt;
  return setting;
}

GroupShape shape_of(const CollectiveSetting& setting, const topology::HardwareRegistry& registry) {
  const topology::NodeType& type = setting.node;
  GroupShape shape;
  shape.ranks = setting.nodes * setting.ranks_per_node;
  shape.nodes = setting.nodes;
  shape.ranks_per_node = setting.ranks_per_node;
  shape.scale_up_rate = setting.ranks_per_node > 1
                            ? topology::scale_up_rate_among(type, setting.ranks_per_node)
                            : type.scale_up_rate * type.scale_up_efficiency;
  shape.scale_up_latency = type.scale_up_latency;
  shape.in_switch_reduction = type.in_switch_reduction;
  shape.nics = (type.nics * setting.ranks_per_node + type.gpus - 1) / type.gpus;
  shape.network_rate = type.nic_rate * (type.nic_efficiency * shape.nics);
  shape.network_latency = type.nic_latency;
  shape.node = &type;
  shape.gpu = registry.find_gpu(type.gpu);
  return shape;
}

base::Score validate_collectives(const std::vector<CollectiveRow>& rows,
                                 const topology::HardwareRegistry& registry,
                                 const CollectivePlayer& play) {
  struct Sweep {
    CollectiveSetting setting;
    std::vector<const CollectiveRow*> rows;
  };
  std::map<std::tuple<std::string, double, int, int>, Sweep> sweeps;
  std::vector<base::UnexpressedRow> left_out;
  for (const CollectiveRow& row : rows) {
    const std::optional<CollectiveSetting> setting = setting_of(row, registry);
    if (!operation_of(row.collective)) {
      left_out.push_back({row.id, fmt::format("unknown collective '{}'", row.collective)});
    } else if (!(row.time_us > 0) || !(row.size_bytes >= 1) || row.size_bytes > 1e15) {
      left_out.push_back({row.id, "no time or no size"});
    } else if (!setting) {
      left_out.push_back(
          {row.id, fmt::format("no node type with '{}' takes {} ranks on {} nodes evenly", row.gpu,
                               row.ranks, row.nodes)});
    } else {
      Sweep& sweep = sweeps[{setting->node.name, setting->node.nic_rate.byte(), setting->nodes,
                             setting->ranks_per_node}];
      sweep.setting = *setting;
      sweep.rows.push_back(&row);
    }
  }
  std::vector<base::ScoredRow> results;
  for (const auto& [key, sweep] : sweeps) {
    const std::vector<Duration> durations = play(sweep.setting, sweep.rows);
    for (std::size_t i = 0; i < sweep.rows.size(); ++i)
      results.push_back(scored(*sweep.rows[i], durations.at(i)));
  }
  return base::make_score(std::move(results), std::move(left_out));
}

}  // namespace calibrate
