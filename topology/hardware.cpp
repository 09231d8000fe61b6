#include "topology/hardware.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <cmath>
#include <functional>
#include <tuple>
#include <utility>

#include "base/folder.hpp"
#include "topology/hardware_reader.hpp"

namespace topology {

namespace {

/// One spelling for comparison: lower case, spaces as dashes.
std::string folded(std::string_view name) {
  std::string out(name);
  for (char& c : out)
    c = c == ' ' ? '-' : static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return out;
}

/// How well `pattern` names `word`: 0 not at all; a whole name above every pattern with a rest,
/// and longer patterns above shorter ones. Both are folded.
std::size_t match(std::string_view pattern, std::string_view word) {
  constexpr std::size_t whole = 1U << 20;
  if (pattern == word) return whole;
  if (!pattern.ends_with('*')) return 0;
  pattern.remove_suffix(1);
  if (!word.starts_with(pattern) || word.substr(pattern.size()).starts_with("-mig-")) return 0;
  return pattern.size() + 1;
}

template <class Spec>
const Spec* find_spec(const std::vector<Spec>& specs, std::string_view name) {
  const std::string word = folded(name);
  const Spec* best = nullptr;
  std::size_t best_score = 0;
  const auto consider = [&](const Spec& spec, std::string_view pattern) {
    const std::size_t score = match(folded(pattern), word);
    if (score > best_score) best = &spec, best_score = score;
  };
  for (const Spec& spec : specs) {
    consider(spec, spec.name);
    for (const std::string& alias : spec.aliases) consider(spec, alias);
  }
  return best;
}

template <class Spec>
std::vector<std::string_view> names_of(const std::vector<Spec>& specs) {
  std::vector<std::string_view> names;
  for (const Spec& spec : specs) names.push_back(spec.name);
  return names;
}

/// Its YAML files; a folder without any is a mistake.
std::vector<std::string> listed(const std::string& folder, base::Diagnostics& problems) {
  auto files = base::yaml_files(folder);
  if (!files)
    problems.push_back({{folder},
                        fmt::format("cannot be listed: {}", files.error().message()),
                        "the folder must hold gpus/*.yaml and nodes/*.yaml"});
  else if (files->empty())
    problems.push_back({{folder}, "holds no .yaml file", ""});
  return files.value_or(std::vector<std::string>{});
}

/// Refuses two entries of the registry that answer to the same word.
template <class Spec>
void refuse_duplicates(const std::vector<FromFile<Spec>>& specs, base::Diagnostics& problems) {
  std::map<std::string, const FromFile<Spec>*> seen;
  for (const FromFile<Spec>& one : specs) {
    std::vector<std::pair<std::string, std::string>> words{{one.spec.name, "name"}};
    for (const std::string& alias : one.spec.aliases) words.emplace_back(alias, "aliases");
    for (const auto& [word, key] : words) {
      const auto [place, is_new] = seen.emplace(folded(word), &one);
      if (is_new) continue;
      problems.push_back({one.origins.at(key), fmt::format("'{}' is already taken", word),
                          fmt::format("by {}", place->second->file)});
    }
  }
}

template <class Spec>
std::vector<FromFile<Spec>> read_folder(
    const std::string& folder, base::Diagnostics& problems,
    base::Result<FromFile<Spec>> (*read_one)(std::string_view, const std::string&)) {
  std::vector<FromFile<Spec>> specs;
  for (const std::string& file : listed(folder, problems)) {
    base::Result<FromFile<Spec>> one = base::read_file(file).and_then(
        [&](const std::string& text) { return read_one(text, file); });
    if (one)
      specs.push_back(std::move(*one));
    else
      problems.insert(problems.end(), one.error().begin(), one.error().end());
  }
  refuse_duplicates(specs, problems);
  return specs;
}

/// Whether a word of `text` is the type's name, an alias or its kind of NIC.
bool mentions(std::string_view text, const NodeType& type) {
  std::vector<std::string> words{folded(type.name)};
  for (const std::string& alias : type.aliases) words.push_back(folded(alias));
  for (const auto& [name, kind] : nic_kind_names)
    if (kind == type.nic_kind && kind != NicKind::verbs) words.emplace_back(name);
  const auto in_word = [](char c) {
    return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '.' || c == '-';
  };
  for (auto begin = text.begin(); begin != text.end();) {
    begin = std::find_if(begin, text.end(), in_word);
    const auto end = std::find_if_not(begin, text.end(), in_word);
    if (std::find(words.begin(), words.end(), folded({begin, end})) != words.end()) return true;
    begin = end;
  }
  return false;
}

}  // namespace

base::BytesPerSecond scale_up_rate_among(const NodeType& type, int members) {
  const auto& by_size = type.scale_up_group_rates;
  if (!by_size.empty()) {
    const auto last = static_cast<int>(by_size.size()) - 1;
    const int index = std::clamp(members - 2, 0, last);
    return by_size[static_cast<std::size_t>(index)] * type.scale_up_efficiency;
  }
  const base::BytesPerSecond whole = type.scale_up_rate * type.scale_up_efficiency;
  if (type.scale_up != ScaleUpKind::mesh || type.gpus < 2) return whole;
  const int peers = std::clamp(members, 2, type.gpus) - 1;
  return whole * (static_cast<double>(peers) / (type.gpus - 1));
}

base::Result<HardwareRegistry> HardwareRegistry::read(const std::string& folder) {
  base::Diagnostics problems;
  const auto gpus = read_folder<GpuSpec>(folder + "/gpus", problems, read_gpu_file);
  const auto nodes = read_folder<NodeType>(folder + "/nodes", problems, read_node_file);

  HardwareRegistry registry;
  for (const auto& one : gpus) registry.gpus_.push_back(one.spec);
  for (const auto& one : nodes) registry.nodes_.push_back(one.spec);
  for (const auto& one : nodes)
    if (registry.find_gpu(one.spec.gpu) == nullptr)
      problems.push_back({one.origins.at("gpu"), fmt::format("unknown GPU '{}'", one.spec.gpu),
                          base::suggest(one.spec.gpu, registry.gpu_names())});
  if (base::has_errors(problems)) return tl::unexpected(std::move(problems));
  return registry;
}

const GpuSpec* HardwareRegistry::find_gpu(std::string_view name) const {
  return find_spec(gpus_, name);
}

const NodeType* HardwareRegistry::find_node(std::string_view name) const {
  return find_spec(nodes_, name);
}

std::vector<std::string_view> HardwareRegistry::gpu_names() const { return names_of(gpus_); }

std::vector<std::string_view> HardwareRegistry::node_names() const { return names_of(nodes_); }

const NodeType* nearest_node_type(const HardwareRegistry& registry, std::string_view gpu, int gpus,
                                  std::optional<base::BytesPerSecond> network,
                                  std::string_view text) {
  const GpuSpec* const spec = registry.find_gpu(gpu);
  if (spec == nullptr) return nullptr;
  const NodeType* best = nullptr;
  std::tuple<bool, bool, double, int> best_rank;
  for (const NodeType& type : registry.nodes()) {
    if (type.gpu != spec->name || type.gpus < gpus) continue;
    const double distance =
        network ? std::abs(type.nic_rate.gbit() * type.nics - network->gbit()) : 0;
    const std::tuple rank(!mentions(text, type), type.nic_kind != NicKind::verbs, distance,
                          type.gpus);
    if (best != nullptr && rank >= best_rank) continue;
    best = &type;
    best_rank = rank;
  }
  return best;
}

base::Result<GpuSpec> read_gpu(std::string_view yaml, const std::string& file) {
  return read_gpu_file(yaml, file).map([](const FromFile<GpuSpec>& one) { return one.spec; });
}

base::Result<NodeType> read_node(std::string_view yaml, const std::string& file) {
  return read_node_file(yaml, file).map([](const FromFile<NodeType>& one) { return one.spec; });
}

}  // namespace topology
