#include "calibrate/harness/sweep.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>
#include <utility>

namespace calibrate {

namespace {

using base::Collective;

constexpr std::int64_t size_max = 1LL << 50;  // no buffer is larger, and sums stay far below 2^63

struct Mistake {
  std::string message;
  std::string hint;
};

/// Why a value does not read; nothing when it was set.
using Reading = std::optional<Mistake>;
using Read = Reading (*)(std::string_view value, SweepOptions& options);

Reading read_whole(std::string_view value, std::int64_t min, std::int64_t max, std::int64_t& out) {
  const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), out);
  if (error == std::errc() && end == value.data() + value.size() && out >= min && out <= max)
    return std::nullopt;
  return Mistake{fmt::format("'{}' is no whole number from {} to {}", value, min, max), ""};
}

template <int SweepOptions::*field, int min, int max = 1'000'000'000>
Reading whole(std::string_view value, SweepOptions& options) {
  std::int64_t number = 0;
  Reading mistake = read_whole(value, min, max, number);
  if (!mistake) options.*field = static_cast<int>(number);
  return mistake;
}

template <bool SweepOptions::*field>
Reading flag(std::string_view value, SweepOptions& options) {
  if (value != "0" && value != "1")
    return Mistake{fmt::format("'{}' is neither 0 nor 1", value), ""};
  options.*field = value == "1";
  return std::nullopt;
}

std::optional<int> shift_of(char unit) {
  switch (unit) {
    case 'k':
    case 'K': return 10;
    case 'm':
    case 'M': return 20;
    case 'g':
    case 'G': return 30;
    default: return std::nullopt;
  }
}

template <std::int64_t SweepOptions::*field>
Reading size(std::string_view value, SweepOptions& options) {
  double number = 0;
  const char* last = value.data() + value.size();
  const auto [end, error] = std::from_chars(value.data(), last, number);
  const std::optional<int> shift = end == last       ? 0
                                   : end + 1 == last ? shift_of(*end)
                                                     : std::nullopt;
  if (error != std::errc() || !shift || !std::isfinite(number) || number < 0)
    return Mistake{fmt::format("'{}' is no size", value),
                   "bytes, or a number with K, M or G (powers of 1024): 64M"};
  const double bytes = std::ldexp(number, *shift);
  if (bytes > static_cast<double>(size_max))
    return Mistake{fmt::format("{} is more than {} bytes", value, size_max), ""};
  options.*field = static_cast<std::int64_t>(bytes);  // nccl-tests rounds down, too
  return std::nullopt;
}

Reading factor(std::string_view value, SweepOptions& options) {
  return read_whole(value, 0, size_max, options.step_factor);
}

Reading reduction(std::string_view value, SweepOptions& options) {
  if (value == "all") {
    options.reductions.assign(reductions.begin(), reductions.end());
  } else if (std::find(reductions.begin(), reductions.end(), value) != reductions.end()) {
    options.reductions = {std::string(value)};
  } else {
    return Mistake{fmt::format("no reduction '{}'", value), base::suggest(value, reductions)};
  }
  return std::nullopt;
}

Reading dtype(std::string_view value, SweepOptions& options) {
  if (value == "all") {
    options.dtypes.clear();
    for (const ElementType& type : element_types) options.dtypes.emplace_back(type.name);
  } else if (find_element_type(value) != nullptr) {
    options.dtypes = {std::string(value)};
  } else {
    std::vector<std::string_view> names;
    for (const ElementType& type : element_types) names.push_back(type.name);
    return Mistake{fmt::format("no type '{}'", value), base::suggest(value, names)};
  }
  return std::nullopt;
}

Reading root(std::string_view value, SweepOptions& options) {
  if (value == "all") {
    options.root.reset();
    return std::nullopt;
  }
  std::int64_t rank = 0;
  Reading mistake = read_whole(value, 0, std::numeric_limits<int>::max(), rank);
  if (!mistake) options.root = static_cast<int>(rank);
  return mistake;
}

Reading average(std::string_view value, SweepOptions& options) {
  std::int64_t number = 0;
  Reading mistake = read_whole(value, 0, 3, number);
  if (!mistake) options.average = static_cast<RankAverage>(number);
  return mistake;
}

Reading json(std::string_view value, SweepOptions& options) {
  if (!value.ends_with(".json"))
    return Mistake{fmt::format("'{}' does not end in .json", value), ""};
  options.json = value;
  return std::nullopt;
}

struct Option {
  char letter;
  std::string_view word;  ///< its long name
  Read read;              ///< nullptr: nccl-tests has it, the harness does not
};

constexpr std::array<Option, 31> option_table{{
    {'b', "minbytes", size<&SweepOptions::bytes_min>},
    {'e', "maxbytes", size<&SweepOptions::bytes_max>},
    {'f', "stepfactor", factor},
    {'i', "stepbytes", size<&SweepOptions::step_bytes>},
    {'n', "iters", whole<&SweepOptions::iterations, 1>},
    {'w', "warmup_iters", whole<&SweepOptions::warm_up, 0>},
    {'m', "agg_iters", whole<&SweepOptions::aggregated, 1>},
    {'N', "run_cycles", whole<&SweepOptions::cycles, 0>},
    {'c', "check", whole<&SweepOptions::checks, 0>},
    {'o', "op", reduction},
    {'d', "datatype", dtype},
    {'r', "root", root},
    {'a', "average", average},
    {'T', "timeout", whole<&SweepOptions::timeout_s, 0>},
    {'J', "output_file", json},
    {'C', "report_cputime", flag<&SweepOptions::issue_time>},
    {'S', "report_timestamps", flag<&SweepOptions::time_stamps>},
    {'I', "per_iter_timing", flag<&SweepOptions::per_iteration>},
    {'K', "per_iter_skip", whole<&SweepOptions::skipped, 0>},
    {'t', "nthreads", nullptr},
    {'g', "ngpus", nullptr},
    {'p', "parallel_init", nullptr},
    {'z', "blocking", nullptr},
    {'y', "stream_null", nullptr},
    {'G', "cudagraph", nullptr},
    {'R', "local_register", nullptr},
    {'x', "cta_policy", nullptr},
    {'D', "device_implementation", nullptr},
    {'V', "device_cta_count", nullptr},
    {'M', "memory_report", nullptr},
    {'u', "unalign", nullptr},
}};

std::string known_letters() {
  std::string text = "known:";
  for (const Option& option : option_table)
    if (option.read != nullptr) text += fmt::format(" -{}", option.letter);
  return text;
}

/// One option and its value: "-b 8", "-b8", "--minbytes 8" or "--minbytes=8".
struct Word {
  std::string_view name;  ///< as it was written
  const Option* option = nullptr;
  std::optional<std::string_view> value;  ///< of the same word
};

Word word_of(std::string_view text) {
  Word word;
  const bool is_long = text.starts_with("--");
  const std::size_t end =
      is_long ? std::min(text.find('='), text.size()) : std::min<std::size_t>(2, text.size());
  word.name = text.substr(0, end);
  if (end < text.size()) word.value = text.substr(is_long ? end + 1 : end);
  if (word.name.size() < 2 || word.name.front() != '-') return word;
  for (const Option& option : option_table)
    if (is_long ? option.word == word.name.substr(2) : option.letter == word.name[1])
      word.option = &option;
  return word;
}

std::int64_t next_size(std::int64_t size, const SweepOptions& options) {
  if (options.step_factor <= 1) return size + options.step_bytes;
  return size > size_max / options.step_factor ? size_max + 1 : size * options.step_factor;
}

base::Diagnostics contradictions(const SweepOptions& options) {
  base::Diagnostics problems;
  const auto add = [&](std::string place, std::string message, std::string hint) {
    problems.push_back({{std::move(place), 0, 0}, std::move(message), std::move(hint)});
  };
  if (options.bytes_min > options.bytes_max)
    add("-b -e", fmt::format("{} bytes are more than {}", options.bytes_min, options.bytes_max),
        "-b is the least size, -e the largest");
  else if (options.step_factor > 1 && options.bytes_min == 0 && options.bytes_max > 0)
    add("-b -f", "no factor leads from 0 to the next size", "begin with -b 1, or step with -i");
  else if (options.step_factor <= 1 && options.step_bytes == 0)
    add("-i", "a step of 0 does not lead to the next size", "");
  else if (options.step_factor <= 1 &&
           (options.bytes_max - options.bytes_min) / options.step_bytes >= sweep_sizes_max)
    add("-i",
        fmt::format("from {} to {} bytes in steps of {}: more than {} sizes", options.bytes_min,
                    options.bytes_max, options.step_bytes, sweep_sizes_max),
        "a larger -i, or a factor with -f");
  if (options.skipped >= options.iterations)
    add("-K", fmt::format("{} of {} iterations are left out", options.skipped, options.iterations),
        "fewer than -n");
  return problems;
}

}  // namespace

const ElementType* find_element_type(std::string_view name) {
  for (const ElementType& type : element_types)
    if (type.name == name) return &type;
  return nullptr;
}

base::Result<SweepOptions> parse_sweep_options(std::span<const std::string> words) {
  SweepOptions options;
  base::Diagnostics problems;
  for (std::size_t i = 0; i < words.size(); ++i) {
    Word word = word_of(words[i]);
    std::string place = words[i];
    // The value may stand in the next word; of options that are refused it is passed over, too.
    const bool takes_next = word.name.starts_with('-') && !word.value && i + 1 < words.size() &&
                            (word.option != nullptr || !words[i + 1].starts_with('-'));
    if (takes_next) {
      word.value = words[++i];
      place += " " + words[i];
    }
    std::optional<Mistake> mistake;
    if (word.option == nullptr)
      mistake = {fmt::format("no option '{}'", word.name), known_letters()};
    else if (word.option->read == nullptr)
      mistake = {fmt::format("'-{}' ({}) of nccl-tests is not supported here", word.option->letter,
                             word.option->word),
                 known_letters()};
    else if (!word.value)
      mistake = {fmt::format("'{}' needs a value", word.name), ""};
    else
      mistake = word.option->read(*word.value, options);
    if (mistake) problems.push_back({{place, 0, 0}, mistake->message, mistake->hint});
  }
  if (problems.empty()) problems = contradictions(options);
  if (!problems.empty()) return tl::unexpected(problems);
  return options;
}

bool has_reduction(Collective op) {
  return op == Collective::all_reduce || op == Collective::reduce_scatter ||
         op == Collective::reduce;
}

bool has_root(Collective op) {
  return op == Collective::broadcast || op == Collective::reduce || op == Collective::gather ||
         op == Collective::scatter;
}

CallSize call_size(Collective op, int ranks, std::int64_t wanted_bytes, int element_bytes) {
  const std::int64_t whole = wanted_bytes / element_bytes;
  const std::int64_t granule = 16 / element_bytes;
  const std::int64_t share = whole / ranks / granule * granule;
  const std::int64_t all = share * ranks;
  CallSize call;
  switch (op) {
    case Collective::all_reduce:
    case Collective::broadcast:
    case Collective::reduce:
    case Collective::send_receive: call = {whole, whole, whole, {}}; break;
    case Collective::all_gather:
    case Collective::gather: call = {share, share, all, {}}; break;
    case Collective::reduce_scatter:
    case Collective::scatter: call = {share, all, share, {}}; break;
    case Collective::all_to_all: call = {share, all, all, {}}; break;
    case Collective::barrier: break;
  }
  call.bytes = base::Bytes::from_count(std::max(call.send, call.receive) * element_bytes);
  return call;
}

std::vector<CallSize> sweep_calls(Collective op, int ranks, int element_bytes,
                                  const SweepOptions& options) {
  if (op == Collective::barrier) return {CallSize{}};
  std::vector<CallSize> calls;
  for (std::int64_t size = options.bytes_min; size <= options.bytes_max;
       size = next_size(size, options))
    calls.push_back(call_size(op, ranks, size, element_bytes));
  return calls;
}

}  // namespace calibrate
