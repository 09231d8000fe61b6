#include "calibrate/import/nccl_log_table.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "calibrate/import/import.hpp"

namespace calibrate {

namespace {

constexpr std::size_t protocols_each = nccl::protocols.size();

std::string_view trimmed(std::string_view text) {
  const std::size_t begin = text.find_first_not_of(" \t");
  if (begin == text.npos) return {};
  return text.substr(begin, text.find_last_not_of(" \t") + 1 - begin);
}

/// Small letters without '_'.
std::string plain(std::string_view text) {
  std::string small;
  for (const char c : trimmed(text))
    if (c != '_') small += c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  return small;
}

/// The place of a name, or of a number, in a list of NCCL's.
template <class List>
std::optional<std::size_t> place_in(const List& list, std::string_view text) {
  const std::string word = plain(text);
  if (const auto number = to_whole(word))
    return *number >= 0 && *number < static_cast<std::int64_t>(list.size())
               ? std::optional<std::size_t>(static_cast<std::size_t>(*number))
               : std::nullopt;
  for (std::size_t i = 0; i < list.size(); ++i)
    if (plain(base::name_of(list[i])) == word) return i;
  return std::nullopt;
}

std::optional<std::size_t> algorithm_in(std::string_view text) {
  // As it was called before there were two of them.
  return place_in(nccl::algorithms, plain(text) == "collnet" ? "collnet_direct" : text);
}

std::vector<std::string_view> cells_of(std::string_view line) {
  std::vector<std::string_view> cells;
  while (true) {
    const std::size_t end = line.find('|');
    if (end == line.npos) break;
    cells.push_back(trimmed(line.substr(0, end)));
    line.remove_prefix(end + 1);
  }
  return cells;
}

/// Small letters, as records have them.
template <class Value>
std::string plain_name(Value value) {
  std::string small;
  for (const char c : base::name_of(value))
    small += c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  return small;
}

template <class List>
std::string name_in(const List& list, std::optional<std::size_t> place) {
  return place ? plain_name(list[*place]) : std::string();
}

}  // namespace

std::string nccl_algorithm(std::string_view text) {
  return name_in(nccl::algorithms, algorithm_in(text));
}

std::string nccl_protocol(std::string_view text) {
  return name_in(nccl::protocols, place_in(nccl::protocols, text));
}

std::optional<std::string> NcclTable::take(std::string_view line) {
  std::vector<std::string_view> cells = cells_of(line);
  if (cells.empty()) return {};
  const std::string_view what = cells.front();
  cells.erase(cells.begin());
  if (what == "Latency/AlgBw") {  // "Tree/    LL": one line of headings
    columns_.clear();
    for (const std::string_view cell : cells) {
      const std::size_t slash = cell.find('/');
      const auto algorithm = algorithm_in(cell.substr(0, slash));
      const auto protocol =
          slash == cell.npos ? std::nullopt : place_in(nccl::protocols, cell.substr(slash + 1));
      if (!algorithm || !protocol) return fmt::format("no algorithm and protocol: '{}'", cell);
      columns_.emplace_back(*algorithm, *protocol);
    }
  } else if (what == "Algorithm") {  // a line for each of both
    columns_.clear();
    algorithms_.clear();
    for (const std::string_view cell : cells) {
      const auto algorithm = algorithm_in(cell);
      if (!algorithm) return fmt::format("no algorithm of NCCL: '{}'", cell);
      algorithms_.push_back(*algorithm);
    }
  } else if (what == "Protocol") {
    columns_.clear();
    if (cells.size() != algorithms_.size() * protocols_each)
      return fmt::format("{} protocols below {} algorithms", cells.size(), algorithms_.size());
    for (std::size_t i = 0; i < cells.size(); ++i) {
      const auto protocol = place_in(nccl::protocols, cells[i]);
      if (!protocol) return fmt::format("no protocol of NCCL: '{}'", cells[i]);
      columns_.emplace_back(algorithms_[i / protocols_each], *protocol);
    }
  } else if (const auto op = collective_of(what); op && nccl::has_table(*op)) {
    return take_row(*op, cells);
  }
  return {};
}

std::optional<std::string> NcclTable::take_row(base::Collective op,
                                               const std::vector<std::string_view>& cells) {
  if (cells.size() != columns_.size() || cells.empty())
    return fmt::format("{} cells below {} headings", cells.size(), columns_.size());
  nccl::Table& table = rows_[op];
  for (std::size_t i = 0; i < cells.size(); ++i) {
    const std::size_t slash = cells[i].find('/');
    const auto latency = to_number(trimmed(cells[i].substr(0, slash)));
    const auto bandwidth =
        slash == cells[i].npos ? std::nullopt : to_number(trimmed(cells[i].substr(slash + 1)));
    if (!latency || !bandwidth || !(*latency >= 0) || !(*bandwidth >= 0) ||
        !std::isfinite(*latency) || !std::isfinite(*bandwidth))
      return fmt::format("no latency and bandwidth: '{}'", cells[i]);
    nccl::Estimate& estimate = table.at(columns_[i].first).at(columns_[i].second);
    const bool another = estimate.enabled && (estimate.latency_us != *latency ||
                                              estimate.bandwidth_gbyte != *bandwidth);
    doubtful_ = doubtful_ || another;
    estimate = {*latency, *bandwidth, *bandwidth > 0};
  }
  return {};
}

bool NcclTable::known(base::Collective op) const { return !doubtful_ && rows_.contains(op); }

std::optional<double> NcclTable::seconds(const CollectiveRecord& record, int channels) const {
  const auto row = rows_.find(record.op);
  const auto algorithm = algorithm_in(record.algorithm);
  const auto protocol = place_in(nccl::protocols, record.protocol);
  if (doubtful_ || row == rows_.end() || !algorithm || !protocol || record.placement.ranks < 2)
    return {};
  // Only rings of several nodes ask for the channels.
  if (channels == 0 && record.placement.nodes > 1 && record.algorithm == "ring") return {};
  nccl::Communicator communicator;
  const auto version = nccl::version_of(record.library_version);
  if (version) communicator.version = *version;
  communicator.ranks = record.placement.ranks;
  communicator.nodes = record.placement.nodes;
  communicator.channels = channels;
  const double us = nccl::time_us(communicator, record.op, row->second, *algorithm, *protocol,
                                  record.bytes.as_double());
  if (!std::isfinite(us)) return {};
  return us * 1e-6;
}

}  // namespace calibrate
