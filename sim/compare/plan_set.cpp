#include "sim/compare/plan_set.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <set>
#include <utility>

#include "base/map_reader.hpp"
#include "sim/overlay.hpp"
#include "sim/price.hpp"

namespace sim::compare {

namespace {

using base::Diagnostics;
using base::MapReader;
using base::Node;

/// Keys that are in most names; the value of a schedule says what it is.
constexpr std::array<std::pair<std::string_view, std::string_view>, 8> short_names{{
    {"tensor_parallel", "tp"},
    {"pipeline_parallel", "pp"},
    {"data_parallel", "dp"},
    {"context_parallel", "cp"},
    {"expert_parallel", "ep"},
    {"expert_tensor_parallel", "etp"},
    {"virtual_stages", "vp"},
    {"schedule", ""},
}};

std::string words_of(const Node& node) {
  std::string text;
  const auto separated = [&] { return text.empty() ? "" : ", "; };
  switch (node.kind) {
    case Node::Kind::null: return "default";
    case Node::Kind::scalar: return node.text;
    case Node::Kind::sequence:
      for (const Node& item : node.items) text += separated() + words_of(item);
      return "[" + text + "]";
    case Node::Kind::map:
      for (const Node::Entry& entry : node.entries)
        text += fmt::format("{}{}: {}", separated(), entry.key, words_of(entry.value));
      return "{" + text + "}";
  }
  return text;
}

/// "tp 4", "recompute full", "overlap.gradient_reduce false".
void name_keys(const Node& map, const std::string& path, std::string& name) {
  for (const Node::Entry& entry : map.entries) {
    const std::string key = path.empty() ? entry.key : fmt::format("{}.{}", path, entry.key);
    if (entry.value.kind == Node::Kind::map) {
      name_keys(entry.value, key, name);
      continue;
    }
    const auto* const known = std::find_if(short_names.begin(), short_names.end(),
                                           [&](const auto& one) { return one.first == key; });
    const std::string_view word =
        known == short_names.end() ? std::string_view(key) : known->second;
    name += fmt::format("{}{}{}{}", name.empty() ? "" : ", ", word, word.empty() ? "" : " ",
                        words_of(entry.value));
  }
}

std::string name_of(const Node& keys) {
  std::string name;
  name_keys(keys, "", name);
  return name.empty() ? "as in the scenario" : name;
}

Node empty_map(int line, int column) {
  Node map;
  map.kind = Node::Kind::map;
  map.line = line;
  map.column = column;
  return map;
}

/// `value` under the dotted path of its axis, as a map.
Node keys_of(const Axis& axis, const Node& value) {
  Node node = value;
  std::size_t end = axis.path.size();
  while (true) {
    const std::size_t dot = axis.path.rfind('.', end - 1);
    const std::size_t begin = dot == std::string::npos ? 0 : dot + 1;
    Node map = empty_map(axis.line, axis.column);
    map.entries.push_back({.key = axis.path.substr(begin, end - begin),
                           .line = axis.line,
                           .column = axis.column,
                           .value = std::move(node)});
    node = std::move(map);
    if (begin == 0) return node;
    end = dot;
  }
}

bool is_path(std::string_view path) {
  return !path.empty() && path.front() != '.' && path.back() != '.' &&
         path.find("..") == std::string_view::npos;
}

/// Whether one is the other or lies in it.
bool overlap(std::string_view a, std::string_view b) {
  if (a.size() > b.size()) std::swap(a, b);
  return b.starts_with(a) && (a.size() == b.size() || b[a.size()] == '.');
}

class Reader {
 public:
  explicit Reader(const base::Document& document) : document_(document) {}

  base::Result<PlanSet> read() {
    MapReader root(document_, document_.root, "", problems_);
    set_.file = document_.files.front();
    const std::vector<MapReader> plans = root.maps("plans");
    const Node* list = document_.root.find("plans");
    for (std::size_t i = 0; i < plans.size(); ++i) read_plan(plans[i], list->items[i]);
    if (auto axes = root.map("axes"))
      for (const Node::Entry& entry : document_.root.find("axes")->entries) read_axis(entry);
    root.finish();
    if (problems_.empty()) check_size();
    if (base::has_errors(problems_)) return tl::unexpected(std::move(problems_));
    return std::move(set_);
  }

 private:
  void error(base::SourceRef where, std::string message, std::string hint = {}) {
    problems_.push_back({std::move(where), std::move(message), std::move(hint)});
  }

  void read_plan(MapReader reader, const Node& node) {
    if (node.kind != Node::Kind::map) return;  // told already
    PlanEntry plan;
    plan.where = reader.where();
    plan.keys = empty_map(node.line, node.column);
    for (const Node::Entry& entry : node.entries)
      if (entry.key != "name" && entry.key != "price") plan.keys.entries.push_back(entry);
    if (auto price = reader.map("price")) {
      plan.gpu_hour = read_gpu_hour(*price);
      price->finish();
    }
    if (!reader.read("name", plan.name) || plan.name.empty()) plan.name = name_of(plan.keys);
    if (!names_.insert(plan.name).second)
      error(plan.where, fmt::format("two plans are named '{}'", plan.name),
            "give one of them another 'name'");
    set_.plans.push_back(std::move(plan));
  }

  void read_axis(const Node::Entry& entry) {
    const auto file = document_.where(entry.value).file;
    const base::SourceRef where{file, entry.line, entry.column};
    if (!is_path(entry.key))
      return error(where, fmt::format("'{}' is no key of a plan", entry.key),
                   "for example tensor_parallel or overlap.gradient_reduce");
    for (const Axis& axis : set_.axes)
      if (overlap(axis.path, entry.key))
        return error(where,
                     fmt::format("the axes '{}' and '{}' set the same", axis.path, entry.key),
                     "keep one of them");
    if (entry.value.kind != Node::Kind::sequence || entry.value.items.empty())
      return error(document_.where(entry.value),
                   fmt::format("'{}' is no list of values", entry.key),
                   fmt::format("for example {}: [1, 2, 4]", entry.key));
    Axis axis{.path = entry.key, .line = entry.line, .column = entry.column};
    for (const Node& value : entry.value.items) {
      std::string words = words_of(value);
      if (std::find(axis.words.begin(), axis.words.end(), words) != axis.words.end()) {
        error(document_.where(value), fmt::format("'{}' stands twice", words), "remove one");
        continue;
      }
      axis.values.push_back(value);
      axis.words.push_back(std::move(words));
    }
    set_.axes.push_back(std::move(axis));
  }

  void check_size() {
    const base::SourceRef where = document_.where(document_.root);
    double count = set_.axes.empty() ? 0 : 1;  // may be beyond any integer
    for (const Axis& axis : set_.axes) count *= static_cast<double>(axis.values.size());
    count += static_cast<double>(set_.plans.size());
    if (count > static_cast<double>(entries_max))
      return error(where, fmt::format("{:.6g} plans are more than {}", count, entries_max),
                   "leave out values that cannot be good");
    if (count < 1)
      return error(where, "there is no plan in it", "a list 'plans', or a map 'axes', or both");
    for (std::size_t i = 0; i < set_.combinations() && !names_.empty(); ++i) {
      const PlanEntry one = set_.combination(i);
      if (names_.contains(one.name))
        error(where, fmt::format("a plan and a combination of the axes are both '{}'", one.name),
              "give the plan another 'name'");
    }
  }

  const base::Document& document_;
  PlanSet set_;
  std::set<std::string> names_;
  Diagnostics problems_;
};

}  // namespace

std::size_t PlanSet::combinations() const {
  std::size_t count = axes.empty() ? 0 : 1;
  for (const Axis& axis : axes) count *= axis.values.size();
  return count;
}

std::size_t PlanSet::value_of(std::size_t i, std::size_t a) const {
  for (std::size_t later = axes.size() - 1; later > a; --later) i /= axes[later].values.size();
  return i % axes[a].values.size();
}

PlanEntry PlanSet::combination(std::size_t i) const {
  PlanEntry entry;
  entry.where = {file, axes.front().line, axes.front().column};
  entry.keys = empty_map(entry.where.line, entry.where.column);
  for (std::size_t a = 0; a < axes.size(); ++a)
    lay_over(entry.keys, keys_of(axes[a], axes[a].values[value_of(i, a)]));
  entry.name = name_of(entry.keys);
  return entry;
}

base::Result<PlanSet> read_plan_set(std::string_view text, const std::string& file) {
  const base::Result<base::Document> document = base::parse_yaml(text, file);
  if (!document) return tl::unexpected(document.error());
  return Reader(*document).read();
}

}  // namespace sim::compare
