#pragma once

#include <string>
#include <vector>

namespace viz {

/// One HTML file that shows JSON answers of foreshard, whatever their schemas are, without a server
/// or a network: the application of `viz/web` with the documents inside it. They are compressed
/// (RFC 1950, then base64), so that no name in them can be taken for HTML, and that a cluster of
/// ten thousand nodes stays small. \pre each document is a JSON object
std::string page(const std::vector<std::string>& documents);

}  // namespace viz
