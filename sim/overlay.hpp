#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/document.hpp"

/// Maps of a document laid over each other; internal to the module.
namespace sim {

/// nullptr when the map has no such key.
base::Node::Entry* entry_of(base::Node& map, std::string_view key);

/// Gives `document` one more file and `node` with all below it the place there. Nothing when it
/// has as many as it can.
bool move_to_file(base::Node& node, base::Document& document, const std::string& file);

/// Keys of `defaults` that `map` does not have, in maps inside it too.
void fill_in(base::Node& map, base::Node defaults);

/// Keys of `keys` in place of those of `map`; maps are laid over maps.
void lay_over(base::Node& map, const base::Node& keys);

}  // namespace sim
