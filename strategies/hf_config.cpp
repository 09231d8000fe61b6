#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <filesystem>

#include "strategies/hf_reader.hpp"

namespace strategies {

namespace {

struct FamilyRow {
  std::string_view model_type;
  HfFamily read;
};

constexpr std::array families{
    FamilyRow{"bloom", read_bloom},
    FamilyRow{"deepseek_v2", read_deepseek_v2},
    FamilyRow{"deepseek_v3", read_deepseek_v3},
    FamilyRow{"falcon", read_falcon},
    FamilyRow{"gemma", read_gemma},
    FamilyRow{"gemma2", read_gemma2},
    FamilyRow{"gemma3_text", read_gemma3},
    FamilyRow{"gpt2", read_gpt2},
    FamilyRow{"gpt_neox", read_gpt_neox},
    FamilyRow{"gpt_oss", read_gpt_oss},
    FamilyRow{"kimi_k2", read_deepseek_v3},
    FamilyRow{"llama", read_llama},
    FamilyRow{"mistral", read_mistral},
    FamilyRow{"mixtral", read_mixtral},
    FamilyRow{"mpt", read_mpt},
    FamilyRow{"nemotron", read_nemotron},
    FamilyRow{"olmo2", read_olmo2},
    FamilyRow{"opt", read_opt},
    FamilyRow{"phi3", read_phi3},
    FamilyRow{"qwen2", read_qwen2},
    FamilyRow{"qwen2_moe", read_qwen2_moe},
    FamilyRow{"qwen3", read_qwen3},
    FamilyRow{"qwen3_moe", read_qwen3_moe},
};

HfFamily find_family(base::MapReader& map) {
  std::string type;
  if (!map.require("model_type", type)) return nullptr;
  std::array<std::string_view, families.size()> names{};
  for (std::size_t i = 0; i < families.size(); ++i) {
    if (families[i].model_type == type) return families[i].read;
    names[i] = families[i].model_type;
  }
  const std::string_view near = base::nearest(type, names);
  map.error("model_type", fmt::format("'model_type' is '{}', which is not known", type),
            fmt::format("{}known: {}", near.empty() ? "" : fmt::format("did you mean '{}'? ", near),
                        fmt::join(names, ", ")));
  return nullptr;
}

/// The name the file gives itself, else that of its folder.
std::string model_name(base::MapReader& map, const std::string& file) {
  std::string name;
  map.read("_name_or_path", name);
  if (name.empty()) name = std::filesystem::path(file).parent_path().filename().string();
  if (name.empty()) map.read("model_type", name);
  return name;
}

}  // namespace

base::Result<ModelSpec> read_hf_config(std::string_view json, const std::string& file,
                                       base::Origins* origins) {
  base::Result<base::Document> document = base::parse_json(json, file);
  if (!document) return tl::unexpected(std::move(document.error()));
  base::Diagnostics problems;
  HfReader reader(*document, problems);
  const HfFamily read = find_family(reader.map);
  if (read != nullptr) {
    read(reader);
    reader.model.name = model_name(reader.map, file);
    derive_heads(reader.model, reader.places, problems);
    check_model(reader.model, reader.places, problems);
    if (origins != nullptr) reader.places.export_to(*origins, "model");
  }
  if (base::has_errors(problems)) return tl::unexpected(std::move(problems));
  return std::move(reader.model);
}

}  // namespace strategies
