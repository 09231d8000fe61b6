#include "topology/node_selection.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <optional>

#include "topology/natural_order.hpp"
#include "topology/node_tally.hpp"

namespace topology {

namespace {

using base::Diagnostics;
using base::SourceRef;

/// One requirement of a label selector.
struct Requirement {
  std::string_view key;
  std::optional<std::string_view> value;  ///< nothing: the key must be there
  bool negated = false;

  bool holds(const base::Node* labels) const {
    const base::Node* found = labels == nullptr ? nullptr : labels->find(key);
    const bool match = found != nullptr && (!value || found->text == *value);
    return match != negated;
  }
};

std::optional<Requirement> parse_requirement(std::string_view text) {
  Requirement wanted;
  std::size_t end = text.find_first_of("!=");
  if (end == 0 && text[0] == '!') {
    wanted = {text.substr(1), std::nullopt, true};
    end = wanted.key.find_first_of("!=");
    if (end != std::string_view::npos) return std::nullopt;
  } else if (end == std::string_view::npos) {
    wanted.key = text;
  } else {
    wanted.key = text.substr(0, end);
    wanted.negated = text[end] == '!';
    std::string_view rest = text.substr(end + (wanted.negated ? 1 : 0));
    if (!rest.starts_with('=')) return std::nullopt;
    rest.remove_prefix(rest.starts_with("==") ? 2 : 1);
    if (rest.find_first_of("!=") != std::string_view::npos) return std::nullopt;
    wanted.value = rest;
  }
  if (wanted.key.empty() || wanted.key.find_first_of(" ()") != std::string_view::npos)
    return std::nullopt;
  return wanted;
}

base::Result<std::vector<Requirement>> parse_selector(std::string_view selector,
                                                      const SourceRef& where) {
  std::vector<Requirement> all;
  while (!selector.empty()) {
    const std::size_t end = std::min(selector.find(','), selector.size());
    const std::string_view part = selector.substr(0, end);
    const std::optional<Requirement> wanted = parse_requirement(part);
    if (!wanted)
      return tl::unexpected(
          Diagnostics{{where, fmt::format("'{}' is no requirement on a label", part),
                       "write key=value, key!=value, key or !key, joined by commas"}});
    all.push_back(*wanted);
    selector.remove_prefix(std::min(end + 1, selector.size()));
  }
  return all;
}

}  // namespace

SourceRef place_of(const ImportOptions& options, const std::string& file) {
  return options.where.file.empty() ? SourceRef{file} : options.where;
}

base::Diagnostics check_options(const ImportOptions& options, const HardwareRegistry& registry,
                                const SourceRef& where) {
  Diagnostics problems;
  if (!options.gpu.empty() && registry.find_gpu(options.gpu) == nullptr)
    problems.push_back({where, fmt::format("unknown GPU '{}'", options.gpu),
                        base::suggest(options.gpu, registry.gpu_names())});
  const std::vector<std::string_view> names = label_scheme_names();
  if (!options.scheme.empty() &&
      std::find(names.begin(), names.end(), options.scheme) == names.end())
    problems.push_back({where, fmt::format("unknown label scheme '{}'", options.scheme),
                        fmt::format("known: {}", fmt::join(names, ", "))});
  return problems;
}

base::Diagnostics select_nodes(std::vector<KubernetesNode>& nodes, const ImportOptions& options,
                               const SourceRef& where, Diagnostics& notes) {
  const auto selector = parse_selector(options.selector, where);
  if (!selector) return selector.error();
  const std::size_t removed = std::erase_if(nodes, [&](const KubernetesNode& node) {
    return !std::all_of(selector->begin(), selector->end(),
                        [&](const Requirement& r) { return r.holds(node.labels); });
  });
  if (removed > 0)
    notes.push_back({where,
                     fmt::format("{} left out by the selector '{}'",
                                 count_of(static_cast<int>(removed), "node"), options.selector),
                     "", base::Severity::note});
  std::sort(nodes.begin(), nodes.end(), [](const KubernetesNode& a, const KubernetesNode& b) {
    return natural_less(a.name, b.name);
  });
  return {};
}

}  // namespace topology
