#include "sim/preset.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <limits>
#include <utility>
#include <vector>

#include "base/folder.hpp"

namespace sim {

namespace {

using base::Node;

void mark_as(Node& node, std::uint16_t file) {
  node.file = file;
  for (Node& item : node.items) mark_as(item, file);
  for (Node::Entry& entry : node.entries) mark_as(entry.value, file);
}

Node::Entry* entry_of(Node& map, std::string_view key) {
  const auto found = std::find_if(map.entries.begin(), map.entries.end(),
                                  [&](const Node::Entry& entry) { return entry.key == key; });
  return found == map.entries.end() ? nullptr : &*found;
}

void fill_in(Node& map, Node defaults) {
  for (Node::Entry& entry : defaults.entries) {
    Node::Entry* own = entry_of(map, entry.key);
    if (own == nullptr)
      map.entries.push_back(std::move(entry));
    else if (own->value.kind == Node::Kind::map && entry.value.kind == Node::Kind::map)
      fill_in(own->value, std::move(entry.value));
  }
}

std::string known_presets(const std::string& folder, const std::string& wanted) {
  std::vector<std::string> names;
  if (const auto files = base::yaml_files(folder))
    for (const std::string& file : *files)
      names.push_back(std::filesystem::path(file).stem().string());
  const std::vector<std::string_view> words(names.begin(), names.end());
  return base::suggest(wanted, words);
}

}  // namespace

std::string frameworks_folder(const std::string& hardware_folder) {
  return (std::filesystem::path(hardware_folder).parent_path() / "frameworks").string();
}

base::Diagnostics apply_preset(base::Document& scenario, const std::string& folder) {
  Node::Entry* plan = entry_of(scenario.root, "plan");
  Node::Entry* preset = plan == nullptr ? nullptr : entry_of(plan->value, "preset");
  if (preset == nullptr) return {};
  const base::SourceRef where = scenario.where(preset->value);
  const std::string name = preset->value.text;
  plan->value.entries.erase(plan->value.entries.begin() + (preset - plan->value.entries.data()));
  const std::string file = folder + "/" + name + ".yaml";
  // A name, not a way to any file.
  const bool plain = !name.empty() && name.find('/') == std::string::npos;
  const base::Result<std::string> text =
      plain ? base::read_file(file)
            : base::Result<std::string>(tl::unexpected(base::Diagnostics{}));
  if (!text)
    return {{where, fmt::format("unknown preset '{}'", name), known_presets(folder, name)}};
  base::Result<base::Document> defaults = base::parse_yaml(*text, file);
  if (!defaults) return defaults.error();
  if (scenario.files.size() >= std::numeric_limits<std::uint16_t>::max())
    return {{where, "too many files"}};
  mark_as(defaults->root, static_cast<std::uint16_t>(scenario.files.size()));
  scenario.files.push_back(file);
  if (Node::Entry* keys = entry_of(defaults->root, "plan")) {
    // What says more of the preset's recompute says nothing of the scenario's own.
    if (entry_of(plan->value, "recompute") != nullptr)
      std::erase_if(keys->value.entries,
                    [](const Node::Entry& entry) { return entry.key.starts_with("recompute_"); });
    fill_in(plan->value, std::move(keys->value));
  }
  return {};
}

}  // namespace sim
