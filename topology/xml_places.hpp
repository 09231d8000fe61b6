#pragma once

#include <cstddef>
#include <optional>
#include <pugixml.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "base/diagnostic.hpp"

/// Places in XML texts; internal to the module, since pugixml is.
namespace topology {

/// Turns offsets into lines and columns; columns count characters. Marks every few bytes keep a
/// dump of one long line from being counted again for each place in it.
class XmlPlaces {
 public:
  XmlPlaces(std::string_view text, std::string file);

  base::SourceRef at(std::ptrdiff_t offset) const;
  base::SourceRef of(const pugi::xml_node& node) const { return at(node.offset_debug()); }

  /// Where the names of the attributes of an element stand: pugixml keeps no place of them, but has
  /// checked that they read name="value".
  std::vector<base::SourceRef> of_attributes(const pugi::xml_node& node) const;

 private:
  static constexpr std::size_t step = 256;
  struct Mark {
    int line = 1;
    int column = 1;
  };

  void advance(Mark& mark, std::size_t i) const;
  bool has_bom() const { return text_.starts_with("\xEF\xBB\xBF"); }

  std::string_view text_;
  std::string file_;
  std::vector<Mark> marks_;  ///< before every `step`-th byte
};

/// Reads XML in UTF-8; what is wrong with it if it is none.
std::optional<base::Diagnostic> load_xml(pugi::xml_document& document, std::string_view text,
                                         const XmlPlaces& places);

}  // namespace topology
