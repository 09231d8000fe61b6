#include "topology/import_reader.hpp"

#include "topology/cluster_reader.hpp"

namespace topology {

ImportOptions read_import_options(base::MapReader& reader) {
  ImportOptions options;
  options.where = reader.where();
  reader.read("gpu", options.gpu);
  reader.read("selector", options.selector);
  reader.read("scheme", options.scheme);
  reader.read("levels", options.levels);
  reader.read("unavailable", options.unavailable);
  return options;
}

ImportWords read_import(base::MapReader& reader) {
  ImportWords words;
  reader.read("import", words.files);
  if (words.files.empty()) reader.error("import", "'import' names no file");
  reader.read("format", words.format);
  words.options = read_import_options(reader);
  reader.read("node_type", words.options.node_type);
  if (std::optional<base::MapReader> fabric = reader.map("fabric"))
    read_domain_fabric(*fabric, words.fabric.emplace());
  reader.finish();
  return words;
}

}  // namespace topology
