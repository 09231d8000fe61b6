#pragma once

#include <string_view>

namespace viz {

/// `viz/web/page.html`: the application, with a mark where the documents go.
extern const std::string_view page_template;

}  // namespace viz
