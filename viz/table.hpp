#pragma once

#include <string>
#include <vector>

namespace viz {

struct Column {
  std::string heading;
  bool right = false;  ///< numbers
  int width_max = 40;  ///< longer texts are cut
};

/// Rows of cells with headings, indented by two; columns are as wide as their texts. Cells may be
/// any text of a user's file.
std::string table(const std::vector<Column>& columns,
                  const std::vector<std::vector<std::string>>& rows);

}  // namespace viz
