#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "base/check.hpp"
#include "base/csv.hpp"
#include "calibrate/backends/registry.hpp"
#include "calibrate/validate_collectives.hpp"

/// Prices from a table of measurements, in the columns of nccl-tests sweeps. A size of the table
/// takes its median; between two sizes time is interpolated on logarithmic scales; below the
/// smallest it is latency and stays, above the largest it grows with the bytes. Groups that the
/// table lacks are priced as NCCL's.
namespace calibrate::backends {

namespace {

using base::Bytes;
using base::BytesPerSecond;
using base::Seconds;

constexpr double once_measured = 0.05;  // spread where there is no repeat to tell it
constexpr double between_sizes = 0.05;  // added spread of an interpolation
constexpr double per_doubling = 0.1;    // of an extrapolation, for every factor of two beyond
constexpr double beyond_at_most = 0.5;  // all of that together

/// Indices into sources().
enum Source { of_table, beyond_table, not_in_table };

/// All measurements of one size, made one.
struct Point {
  double bytes = 0;
  double seconds = 0;
  double spread = once_measured;
};

Point point_of(double bytes, std::vector<double> seconds) {
  std::sort(seconds.begin(), seconds.end());
  const std::size_t half = seconds.size() / 2;
  const bool odd = seconds.size() % 2 == 1;
  Point point{bytes, odd ? seconds[half] : 0.5 * (seconds[half - 1] + seconds[half])};
  if (seconds.size() < 2) return point;
  double squares = 0;
  for (const double value : seconds) squares += std::pow(value / point.seconds - 1, 2);
  point.spread = std::sqrt(squares / static_cast<double>(seconds.size() - 1));
  return point;
}

/// The sizes of one collective of one group, ascending in size and never descending in time.
class Curve {
 public:
  explicit Curve(const std::map<double, std::vector<double>>& measured, Collective op, int ranks)
      : factor_(base::bus_factor(op, ranks)) {
    for (const auto& [bytes, seconds] : measured) points_.push_back(point_of(bytes, seconds));
    smooth();
    for (const Point& point : points_)
      best_rate_ = std::max(best_rate_, point.bytes * factor_ / point.seconds);
    latency_ = points_.front().seconds - points_.front().bytes * factor_ / best_rate_;
  }

  CollectiveCost cost(Bytes size) const {
    CollectiveCost cost;
    cost.total = time(size.as_double());
    const double total = cost.total.time.s();
    const double wire = size.as_double() * factor_;
    const double latency = std::clamp(latency_, 0.0, std::max(0.0, total - wire / best_rate_));
    cost.latency = Seconds::from_s(latency);
    cost.bus_rate = BytesPerSecond::from_byte(wire > 0 ? wire / (total - latency) : best_rate_);
    return cost;
  }

 private:
  // Small messages scatter more than they grow. Neighbours in the wrong order share their mean on
  // the logarithmic scale, until all are in order (isotonic regression).
  void smooth() {
    struct Block {
      double log_sum;
      std::size_t count;
      double mean() const { return log_sum / static_cast<double>(count); }
    };
    std::vector<Block> blocks;
    for (const Point& point : points_) {
      blocks.push_back({std::log(point.seconds), 1});
      while (blocks.size() > 1 && blocks.back().mean() < blocks[blocks.size() - 2].mean()) {
        const Block last = blocks.back();
        blocks.pop_back();
        blocks.back().log_sum += last.log_sum;
        blocks.back().count += last.count;
      }
    }
    auto point = points_.begin();
    for (const Block& block : blocks)
      for (std::size_t i = 0; i < block.count; ++i, ++point)
        if (block.count > 1) point->seconds = std::exp(block.mean());
  }

  Duration time(double bytes) const {
    const auto above = std::lower_bound(points_.begin(), points_.end(), bytes,
                                        [](const Point& p, double b) { return p.bytes < b; });
    if (above == points_.end()) {
      const Point& last = points_.back();
      return beyond(last, last.seconds * (bytes / last.bytes), std::log2(bytes / last.bytes));
    }
    if (above->bytes == bytes)
      return {Seconds::from_s(above->seconds), above->spread, Evidence::measured, of_table};
    if (above == points_.begin())
      return beyond(*above, above->seconds, std::log2(above->bytes / std::max(bytes, 1.0)));
    const Point& below = *std::prev(above);
    const double share = std::log(bytes / below.bytes) / std::log(above->bytes / below.bytes);
    const double seconds = below.seconds * std::pow(above->seconds / below.seconds, share);
    return {Seconds::from_s(std::clamp(seconds, below.seconds, above->seconds)),
            std::hypot(std::max(below.spread, above->spread), between_sizes),
            Evidence::interpolated, of_table};
  }

  static Duration beyond(const Point& edge, double seconds, double doublings) {
    const double unsure = std::min(beyond_at_most, per_doubling * doublings);
    return {Seconds::from_s(seconds), std::hypot(edge.spread, unsure), Evidence::model,
            beyond_table};
  }

  double factor_;
  std::vector<Point> points_;
  double best_rate_ = 0;
  double latency_ = 0;
};

/// GPU, collective, ranks, nodes.
using Key = std::tuple<std::string, Collective, int, int>;
using Curves = std::map<Key, Curve>;

class Measured : public CollectiveBackend {
 public:
  Measured(std::string file, Curves curves, std::size_t rows,
           std::unique_ptr<CollectiveBackend> nccl)
      : file_(std::move(file)), curves_(std::move(curves)), rows_(rows), nccl_(std::move(nccl)) {
    const std::string& first = std::get<0>(curves_.begin()->first);
    const bool one_gpu = std::all_of(curves_.begin(), curves_.end(), [&](const auto& entry) {
      return std::get<0>(entry.first) == first;
    });
    if (one_gpu) only_gpu_ = first;
  }

  std::string_view name() const override { return "measured"; }
  std::string description() const override {
    return fmt::format("measured collectives of {} ({} rows)", file_, rows_);
  }
  bool calibrated() const override { return true; }
  bool supports(Collective op) const override { return nccl_->supports(op); }

  std::vector<std::string> sources() const override {
    return {description(), fmt::format("extrapolated beyond the sizes of {}", file_),
            fmt::format("{}, for groups that {} lacks", nccl_->description(), file_)};
  }

  CollectiveCost cost(Collective op, Bytes bytes, const GroupShape& shape) const override {
    CollectiveCost cost = nccl_->cost(op, bytes, shape);
    cost.total.source = not_in_table;
    if (shape.ranks == 1) return cost;
    const auto curve = curves_.find(
        {shape.gpu == nullptr ? only_gpu_ : shape.gpu->name, op, shape.ranks, shape.nodes});
    // A table counts ranks and nodes, so that nodes are taken to be full but for the last.
    const bool even = shape.ranks_per_node == (shape.ranks + shape.nodes - 1) / shape.nodes;
    if (curve == curves_.end() || !even) return cost;
    CollectiveCost found = curve->second.cost(bytes);
    found.algorithm = cost.algorithm;  // what a table says about it is about its own size alone
    return found;
  }

 private:
  std::string file_;
  Curves curves_;
  std::size_t rows_;
  std::unique_ptr<CollectiveBackend> nccl_;
  std::string only_gpu_;  ///< the GPU of the table, where it has just one
};

/// What is wrong with a row, told at its line.
void check(const CollectiveRow& row, const base::SourceRef& where, base::Diagnostics& problems) {
  const auto report = [&](std::string message, std::string hint) {
    problems.push_back({where, std::move(message), std::move(hint)});
  };
  if (!operation_of(row.collective)) {
    std::vector<std::string_view> names{"send_recv"};
    for (const auto& [name, op] : base::collective_names) names.push_back(name);
    report(fmt::format("unknown collective '{}'", row.collective),
           base::suggest(row.collective, names));
  }
  if (row.ranks < 2 || row.nodes < 1 || row.nodes > row.ranks)
    report(fmt::format("{} ranks on {} nodes are no group", row.ranks, row.nodes),
           "'n_gpus' is at least 2 and at least 'n_nodes'");
  if (!(row.size_bytes >= 1 && row.size_bytes <= 1e15))
    report(fmt::format("'size_bytes' is {}, must be from 1 to 1e15", row.size_bytes), "");
  if (!(row.time_us > 1e-3 && row.time_us < 1e12))
    report(fmt::format("'time_us' is {}, must be above 0.001 and below 1e12", row.time_us), "");
}

}  // namespace

Made make_measured(const BackendOptions& options) {
  const std::string& file = options.table.text;
  const auto table = base::parse_csv(options.table_text, file);
  if (!table) return tl::unexpected(table.error());
  const auto rows = read_collective_rows(*table);
  if (!rows) return tl::unexpected(rows.error());
  base::Diagnostics problems;
  std::map<Key, std::map<double, std::vector<double>>> seconds;
  std::size_t used = 0;
  for (std::size_t i = 0; i < rows->size(); ++i) {
    const CollectiveRow& row = (*rows)[i];
    const std::size_t before = problems.size();
    check(row, {file, table->rows[i].line, 1}, problems);
    if (problems.size() > before || row.trust == "low") continue;
    ++used;
    seconds[{row.gpu, *operation_of(row.collective), row.ranks, row.nodes}][row.size_bytes]
        .push_back(row.time_us * 1e-6);
  }
  if (problems.empty() && used == 0)
    problems.push_back({{file}, "the table has no measurements", "rows of low trust do not count"});
  if (!problems.empty()) return tl::unexpected(std::move(problems));
  Made nccl = make_nccl({.hardware_folder = options.hardware_folder});
  if (!nccl) return nccl;
  Curves curves;
  for (const auto& [key, measured] : seconds)
    curves.try_emplace(key, measured, std::get<1>(key), std::get<2>(key));
  return std::make_unique<Measured>(file, std::move(curves), used, std::move(*nccl));
}

}  // namespace calibrate::backends
