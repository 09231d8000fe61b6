#include "strategies/autoshard/request.hpp"

#include <fmt/format.h>

#include <charconv>
#include <set>
#include <utility>

namespace strategies::autoshard {

namespace {

constexpr std::size_t mesh_dims_max = 3;
constexpr int mesh_size_max = 1 << 20;

std::vector<placement::Layout> read_layouts(base::MapReader& reader, std::string_view key,
                                            base::Diagnostics& problems) {
  std::vector<base::PlacedText> texts;
  reader.read(key, texts);
  std::vector<placement::Layout> layouts;
  for (const base::PlacedText& text : texts) {
    base::Result<placement::Layout> layout = placement::parse_layout(text.text, text.where);
    if (layout)
      layouts.push_back(std::move(*layout));
    else
      problems.insert(problems.end(), layout.error().begin(), layout.error().end());
  }
  return layouts;
}

Constraint read_constraint(base::MapReader& reader, std::size_t number,
                           base::Diagnostics& problems) {
  Constraint constraint;
  constraint.name = fmt::format("constraint {}", number);
  constraint.where = reader.where();
  reader.read("name", constraint.name);
  if (reader.require("tensors", constraint.tensors)) constraint.where = reader.where("tensors");
  const bool fixes = reader.has("layouts");
  const bool forbids = reader.has("forbid");
  if (fixes == forbids)
    reader.error("tensors", "a constraint needs either 'layouts' or 'forbid'",
                 "layouts: [\"R, S(0)\"]");
  constraint.forbids = forbids;
  for (const std::string_view key : {"layouts", "forbid"})
    for (placement::Layout& layout : read_layouts(reader, key, problems))
      constraint.layouts.push_back(std::move(layout));
  reader.finish();
  return constraint;
}

void read_memory(base::MapReader& reader, MemoryRange& memory) {
  const base::Node* node = reader.find("memory");
  if (node == nullptr) return;
  base::Bytes bytes;
  if (node->kind != base::Node::Kind::map) {
    if (reader.read("memory", bytes)) memory.high = bytes.as_double();
    return;
  }
  auto range = reader.map("memory");
  if (range->read("low", bytes)) memory.low = bytes.as_double();
  if (range->read("high", bytes)) memory.high = bytes.as_double();
  if (memory.low > memory.high) range->error("low", "'low' is more than 'high'", "swap them");
  range->finish();
}

}  // namespace

base::Result<std::vector<int>> parse_mesh(std::string_view text, const base::SourceRef& where) {
  const auto fail = [&](std::string message) {
    return tl::unexpected(base::Diagnostics{{where, std::move(message), "as 8x8, or 8x8x4"}});
  };
  std::vector<int> extents;
  std::int64_t size = 1;
  const char* end = text.data() + text.size();
  for (const char* at = text.data();; ++at) {
    int extent = 0;
    const auto [next, error] = std::from_chars(at, end, extent);
    if (error != std::errc{} || extent < 1 || (next != end && *next != 'x'))
      return fail(fmt::format("'{}' is no mesh: extents from 1 joined by x", text));
    extents.push_back(extent);
    size *= extent;
    if (extents.size() > mesh_dims_max || size > mesh_size_max)
      return fail(fmt::format("mesh '{}' has more than {} dims or {} ranks", text, mesh_dims_max,
                              mesh_size_max));
    at = next;
    if (at == end) return extents;
  }
}

Request read_request(base::MapReader& reader, base::Diagnostics& problems) {
  Request request;
  std::string mesh;
  if (reader.read("mesh", mesh)) {
    const base::Result<std::vector<int>> extents = parse_mesh(mesh, reader.where("mesh"));
    if (extents)
      request.mesh = *extents;
    else
      problems.insert(problems.end(), extents.error().begin(), extents.error().end());
  }
  if (reader.read("mesh_names", request.mesh_names) &&
      request.mesh_names.size() != request.mesh.size())
    reader.error(
        "mesh_names",
        fmt::format("{} names for {} mesh dims", request.mesh_names.size(), request.mesh.size()),
        "one name a mesh dim");
  read_memory(reader, request.demands.memory);
  std::set<std::string> names{"memory"};
  for (base::MapReader& one : reader.maps("constraints")) {
    request.demands.constraints.push_back(
        read_constraint(one, request.demands.constraints.size() + 1, problems));
    const std::string& name = request.demands.constraints.back().name;
    if (!names.insert(name).second)
      one.error("name", fmt::format("there is a demand '{}' already", name), "name it otherwise");
  }
  reader.finish();
  return request;
}

}  // namespace strategies::autoshard
