#include "topology/xml_places.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace topology {

XmlPlaces::XmlPlaces(std::string_view text, std::string file)
    : text_(text), file_(std::move(file)) {
  Mark mark;
  for (std::size_t i = 0; i < text_.size(); ++i) {
    if (i % step == 0) marks_.push_back(mark);
    advance(mark, i);
  }
  if (text_.size() % step == 0) marks_.push_back(mark);
}

base::SourceRef XmlPlaces::at(std::ptrdiff_t offset) const {
  if (offset < 0) return {file_};
  const auto end = std::min(static_cast<std::size_t>(offset), text_.size());
  Mark mark = marks_.at(end / step);
  for (std::size_t i = end / step * step; i < end; ++i) advance(mark, i);
  return {file_, mark.line, mark.column};
}

std::vector<base::SourceRef> XmlPlaces::of_attributes(const pugi::xml_node& node) const {
  constexpr std::string_view blank = " \t\r\n";
  std::vector<base::SourceRef> places;
  const auto begin = static_cast<std::size_t>(std::max<std::ptrdiff_t>(node.offset_debug(), 0));
  std::size_t next = text_.find_first_of(blank, begin);
  for ([[maybe_unused]] const pugi::xml_attribute& attribute : node.attributes()) {
    next = text_.find_first_not_of(blank, next);
    places.push_back(next == std::string_view::npos ? of(node)
                                                    : at(static_cast<std::ptrdiff_t>(next)));
    const std::size_t quote = text_.find_first_of("\"'", next);
    if (quote == std::string_view::npos) continue;
    next = text_.find(text_[quote], quote + 1);
    if (next != std::string_view::npos) ++next;
  }
  return places;
}

void XmlPlaces::advance(Mark& mark, std::size_t i) const {
  if (text_[i] == '\n')
    mark = {mark.line + 1, 1};
  else if ((static_cast<unsigned char>(text_[i]) & 0xC0U) != 0x80U && !(i == 0 && has_bom()))
    ++mark.column;
}

std::optional<base::Diagnostic> load_xml(pugi::xml_document& document, std::string_view text,
                                         const XmlPlaces& places) {
  // pugixml would take a zero for the end of the text.
  if (const std::size_t zero = text.find('\0'); zero != std::string_view::npos)
    return base::Diagnostic{places.at(static_cast<std::ptrdiff_t>(zero)),
                            "a zero byte in the text"};
  const pugi::xml_parse_result parsed =
      document.load_buffer(text.data(), text.size(), pugi::parse_default, pugi::encoding_utf8);
  if (parsed) return std::nullopt;
  return base::Diagnostic{places.at(parsed.offset),
                          fmt::format("no XML: {}", parsed.description())};
}

}  // namespace topology
