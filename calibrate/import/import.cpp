#include "calibrate/import/import.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>
#include <utility>

#include "base/mix.hpp"
#include "calibrate/harness/sweep.hpp"

namespace calibrate {

namespace {

using base::Collective;

std::uint64_t hash(std::string_view text, std::uint64_t seed) {
  std::uint64_t value = base::mix(seed ^ text.size());
  for (std::size_t at = 0; at < text.size(); at += sizeof(std::uint64_t)) {
    std::uint64_t part = 0;
    std::memcpy(&part, text.data() + at, std::min(sizeof part, text.size() - at));
    value = base::mix(value ^ part);
  }
  return value;
}

/// Small letters without what separates words, so that "AllReduce" and "all_reduce" are one.
std::string plain(std::string_view name) {
  std::string text;
  for (const char c : name)
    if (c >= 'A' && c <= 'Z')
      text += static_cast<char>(c - 'A' + 'a');
    else if (c != '_' && c != '-' && c != ' ')
      text += c;
  return text;
}

template <class T>
std::optional<T> parsed(std::string_view text) {
  T value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

}  // namespace

std::string import_id(std::string_view text, const ImportOptions& options, std::size_t index) {
  const std::string rest = fmt::format("{}\n{}\n{}\n{}\n{}\n{}\n{}\n{}", options.device,
                                       options.library, options.library_version, options.dtype,
                                       options.op ? base::name_of(*options.op) : "", options.ranks,
                                       options.nodes, index);
  const auto lane = [&](std::uint64_t seed) { return hash(rest, hash(text, seed)); };
  return fmt::format("{:016x}{:016x}", lane(1), lane(2));
}

std::string_view element_type_of(std::string_view name) {
  constexpr std::array<std::pair<std::string_view, std::string_view>, 38> names{{
      {"char", "int8"},
      {"signedchar", "int8"},
      {"i8", "int8"},
      {"byte", "uint8"},
      {"unsignedchar", "uint8"},
      {"u8", "uint8"},
      {"bool", "uint8"},
      {"int", "int32"},
      {"i32", "int32"},
      {"long", "int64"},
      {"longint", "int64"},
      {"i64", "int64"},
      {"float32", "float"},
      {"fp32", "float"},
      {"f32", "float"},
      {"float16", "half"},
      {"fp16", "half"},
      {"f16", "half"},
      {"float64", "double"},
      {"fp64", "double"},
      {"f64", "double"},
      {"bf16", "bfloat16"},
      {"float8e4m3", "f8e4m3"},
      {"float8e5m2", "f8e5m2"},
      {"float8e4m3fn", "f8e4m3"},
      {"fp8e4m3", "f8e4m3"},
      {"fp8e5m2", "f8e5m2"},
      {"float8e4m3fnuz", "f8e4m3"},
      {"float8e5m2fnuz", "f8e5m2"},
      {"int8", "int8"},
      {"uint8", "uint8"},
      {"int32", "int32"},
      {"uint32", "uint32"},
      {"int64", "int64"},
      {"uint64", "uint64"},
      {"half", "half"},
      {"float", "float"},
      {"bfloat16", "bfloat16"},
  }};
  std::string text = plain(name);
  for (const std::string_view prefix : {"torch.", "c10::", "at::"})
    if (text.starts_with(prefix)) text.erase(0, prefix.size());
  for (const auto& [known, type] : names)
    if (known == text) return type;
  const ElementType* type = find_element_type(text);
  return type != nullptr ? type->name : std::string_view();
}

std::optional<Collective> collective_of(std::string_view name) {
  constexpr std::array<std::pair<std::string_view, Collective>, 26> names{{
      {"allreduce", Collective::all_reduce},
      {"allreducecoalesced", Collective::all_reduce},
      {"allgather", Collective::all_gather},
      {"allgatherbase", Collective::all_gather},
      {"allgathersingle", Collective::all_gather},
      {"allgatherintotensor", Collective::all_gather},
      {"allgatherintotensorout", Collective::all_gather},
      {"allgatherintotensorcoalesced", Collective::all_gather},
      {"reducescatter", Collective::reduce_scatter},
      {"reducescatterbase", Collective::reduce_scatter},
      {"reducescattersingle", Collective::reduce_scatter},
      {"reducescattertensor", Collective::reduce_scatter},
      {"reducescattertensorcoalesced", Collective::reduce_scatter},
      {"alltoall", Collective::all_to_all},
      {"alltoallbase", Collective::all_to_all},
      {"alltoallsingle", Collective::all_to_all},
      {"alltoallv", Collective::all_to_all},
      {"broadcast", Collective::broadcast},
      {"reduce", Collective::reduce},
      {"gather", Collective::gather},
      {"scatter", Collective::scatter},
      {"sendrecv", Collective::send_receive},
      {"sendreceive", Collective::send_receive},
      {"send", Collective::send_receive},
      {"recv", Collective::send_receive},
      {"barrier", Collective::barrier},
  }};
  const std::string text = plain(name);
  if (text.empty()) return std::nullopt;
  for (const auto& [known, op] : names)
    if (known == text) return op;
  return std::nullopt;
}

base::Bytes bytes_of_call(Collective op, int ranks, std::int64_t count, int element_bytes) {
  const bool of_all = op == Collective::all_gather || op == Collective::reduce_scatter ||
                      op == Collective::all_to_all || op == Collective::gather ||
                      op == Collective::scatter;
  return base::Bytes::from_double(static_cast<double>(count) * element_bytes *
                                  (of_all ? ranks : 1));
}

bool is_size_of(base::Bytes bytes, Collective op, int ranks, std::int64_t count,
                int element_bytes) {
  const std::int64_t rest = bytes.count() - bytes_of_call(op, ranks, count, element_bytes).count();
  return rest >= 0 && rest < bytes_of_call(op, ranks, 1, element_bytes).count();
}

base::Diagnostics complete(CollectiveRecord& record, const ImportOptions& options,
                           const base::SourceRef& where) {
  if (!options.device.empty()) record.device = options.device;
  if (!options.library.empty()) record.library = options.library;
  if (!options.library_version.empty()) record.library_version = options.library_version;
  if (options.ranks > 0) record.placement.ranks = options.ranks;
  if (options.nodes > 0) record.placement.nodes = options.nodes;
  Placement& place = record.placement;
  if (options.ranks > 0 || options.nodes > 0)
    place.ranks_per_node = place.nodes > 0 ? (place.ranks + place.nodes - 1) / place.nodes : 0;
  base::Diagnostics problems;
  const auto add = [&](bool missing, std::string_view what, std::string_view option) {
    if (missing)
      problems.push_back({where, fmt::format("the file does not say {}", what),
                          fmt::format("give it: {}", option)});
  };
  add(record.device.empty(), "what the ranks run on", "--device NAME");
  add(record.library.empty(), "which library it measures", "--library NAME");
  add(record.library_version.empty(), "the version of the library", "--library-version VERSION");
  add(place.ranks < 1, "how many ranks there are", "--ranks N");
  add(place.nodes < 1, "how many nodes there are", "--nodes N");
  if (problems.empty() && place.nodes > place.ranks)
    problems.push_back({where, fmt::format("{} ranks on {} nodes", place.ranks, place.nodes),
                        "--ranks and --nodes say how many there are"});
  return problems;
}

base::Diagnostics complete_all(std::vector<CollectiveRecord>& records, const ImportOptions& options,
                               const std::string& file) {
  base::Diagnostics problems;
  for (CollectiveRecord& record : records) {
    problems = complete(record, options, {file, record.line, 0});
    if (!problems.empty()) break;
  }
  return problems;
}

base::Diagnostic import_note(const std::string& file, std::string message, std::string hint) {
  return {{file, 0, 0}, std::move(message), std::move(hint), base::Severity::note};
}

std::optional<double> to_number(std::string_view text) { return parsed<double>(text); }

std::optional<std::int64_t> to_whole(std::string_view text) { return parsed<std::int64_t>(text); }

}  // namespace calibrate
