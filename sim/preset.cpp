#include "sim/preset.hpp"

#include <fmt/format.h>

#include <filesystem>
#include <utility>
#include <vector>

#include "base/folder.hpp"
#include "sim/overlay.hpp"

namespace sim {

namespace {

using base::Node;

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
  const bool none = preset->value.kind == Node::Kind::null;
  plan->value.entries.erase(plan->value.entries.begin() + (preset - plan->value.entries.data()));
  if (none) return {};
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
  if (!move_to_file(defaults->root, scenario, file)) return {{where, "too many files"}};
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
