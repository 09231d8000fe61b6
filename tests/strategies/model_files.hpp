#pragma once

#include <string>

#include "base/document.hpp"
#include "strategies/model.hpp"
#include "tests/support/catch.hpp"

namespace strategies {

/// The model in scenarios/models under `name`, a config.json or a YAML of ours.
inline ModelSpec shipped_model(const std::string& name) {
  const std::string folder = std::string(FORESHARD_SOURCE_DIR) + "/scenarios/models/";
  const bool yaml = name.ends_with(".yaml");
  const std::string path = folder + (yaml ? name : name + "/config.json");
  const base::Result<std::string> text = base::read_file(path);
  REQUIRE(text);
  base::Result<ModelSpec> model;
  if (yaml) {
    const base::Result<base::Document> document = base::parse_yaml(*text, path);
    REQUIRE(document);
    model = read_model(*document, document->root, "");
  } else {
    model = read_hf_config(*text, path);
  }
  if (!model) FAIL(model.error().front().format());
  return *model;
}

}  // namespace strategies
