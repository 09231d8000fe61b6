#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <map>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "base/quantity.hpp"
#include "topology/summary.hpp"
#include "viz/topology_picture.hpp"
#include "viz/viz.hpp"

namespace viz {

namespace {

using topology::Cluster;
using topology::DeviceKind;

/// With more lines than this only colours tell how busy each is.
constexpr std::size_t heat_labels_max = 24;
/// An equal label on more lines than this moves to the legend.
constexpr int equal_labels_max = 6;

struct Look {
  std::string_view name;
  std::string_view fill;
};

Look look_of(DeviceKind kind) {
  switch (kind) {
    case DeviceKind::gpu: return {"GPU", "#d5e8d4"};
    case DeviceKind::nic: return {"NIC", "#fff2cc"};
    case DeviceKind::nvswitch: return {"NVSwitch", "#e1d5e7"};
    case DeviceKind::pcie_switch: return {"PCIe", "#e1d5e7"};
    case DeviceKind::leaf: return {"leaf switch", "#dae8fc"};
    case DeviceKind::spine: return {"spine switch", "#b8d0f0"};
    case DeviceKind::core: return {"core switch", "#8fb2e3"};
  }
  return {"?", "white"};
}

/// Links by their busiest direction; the darker, the busier.
struct Heat {
  double below;
  std::string_view colour;
  std::string_view name;
};
constexpr std::array heats{Heat{0.25, "#9e9e9e", "below 25 %"}, Heat{0.50, "#5b8fc9", "25 to 50 %"},
                           Heat{0.75, "#e0a100", "50 to 75 %"}, Heat{0.90, "#e06500", "75 to 90 %"},
                           Heat{1, "#b30000", "above 90 %"}};

const Heat& heat_of(double utilisation) {
  // The last one takes all the rest, whatever it is.
  return *std::find_if(heats.begin(), heats.end() - 1,
                       [&](const Heat& heat) { return utilisation < heat.below; });
}

std::string escaped(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    out += static_cast<unsigned char>(c) < 0x20 ? ' ' : c;
  }
  return out;
}

/// Spaces on the left of each row keep the text off its line.
std::string indented(std::string label) {
  for (std::size_t at = 0; (at = label.find("\\n", at)) != std::string::npos; at += 4)
    label.insert(at + 2, "  ");
  return label.empty() ? label : "  " + label;
}

std::string html(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '<')
      out += "&lt;";
    else if (c == '>')
      out += "&gt;";
    else if (c == '&')
      out += "&amp;";
    else
      out += static_cast<unsigned char>(c) < 0x20 ? ' ' : c;
  }
  return out;
}

/// Networks are named by bits, what is inside a node by bytes.
std::string rate_text(double gbyte, bool network) {
  const auto rate = base::BytesPerSecond::from_gbyte(gbyte);
  return network ? base::format_gbit(rate) : base::format_gbyte(rate);
}

std::string node_text(const Cluster& cluster, int index) {
  const topology::NodeInfo& node = cluster.nodes()[static_cast<std::size_t>(index)];
  const topology::NodeType& type = *node.type;
  std::string text = fmt::format("{} x {}", node.gpus, type.gpu);
  const std::string rate =
      base::format_gbyte(type.scale_up_rate * type.scale_up_efficiency) + " a GPU";
  switch (type.scale_up) {
    case topology::ScaleUpKind::nvswitch: text += "\\nNVSwitch, " + rate; break;
    case topology::ScaleUpKind::mesh: text += "\\nmesh, " + rate; break;
    case topology::ScaleUpKind::pcie: text += "\\nPCIe, " + rate; break;
    case topology::ScaleUpKind::none: break;
  }
  return text + fmt::format("\\n{} NIC{}", type.nics, type.nics == 1 ? "" : "s");
}

class Writer {
 public:
  Writer(const Cluster& cluster, bool with_heat) : cluster_(cluster), with_heat_(with_heat) {}

  std::string write(const Picture& picture, const std::vector<int>& box_of) {
    write_boxes(picture, box_of);
    write_bundles(picture, box_of);
    const std::string body = std::exchange(out_, "");
    line("graph topology {{");
    // Rows far apart keep the lines between wide rows steep; straight lines show meshes best, but
    // only curves pass by their labels.
    line("  graph [rankdir=TB, ranksep={:.2f}, nodesep=0.25, splines={}, fontname=Helvetica,",
         std::max(0.9, 0.25 * widest_), labels_ > 0 ? "true" : "line");
    line("         labelloc=t, label=<{}>];", head());
    line("  node [shape=box, style=\"filled,rounded\", fontname=Helvetica, fontsize=11,");
    line("        color=\"#555555\", margin=\"0.12,0.06\"];");
    line("  edge [fontname=Helvetica, fontsize=10, color=\"#555555\"];");
    out_ += body;
    line("}}");
    return std::move(out_);
  }

 private:
  template <class... Args>
  void line(fmt::format_string<Args...> format, Args&&... args) {
    out_ += fmt::format(format, std::forward<Args>(args)...) + "\n";
  }

  static std::string plural(std::string_view what) {
    return std::string(what) + (what.ends_with("ch") ? "es" : what.ends_with("s") ? "" : "s");
  }

  std::string kind_name(const Unit& unit) const {
    if (unit.is_node) return "node";
    if (unit.kind == DeviceKind::nvswitch && unit.node < 0) return "NVLink domain";
    return std::string(look_of(unit.kind).name);
  }

  void write_box(int box, const Unit& unit, int count) {
    std::string label = unit.is_node ? escaped(unit.title) : unit.title;
    if (unit.is_node) {
      const auto& type = *cluster_.nodes()[static_cast<std::size_t>(unit.node)].type;
      if (count > 1)
        label = fmt::format("{} x {}", topology::grouped(count), escaped(type.name));
      else
        label += "\\n" + escaped(type.name);
      label += "\\n" + node_text(cluster_, unit.node);
      seen_["node"] = "#eeeeee";
    } else {
      if (count > 1) {
        label = fmt::format("{} {}", topology::grouped(count), plural(kind_name(unit)));
        if (one_rail_.at(box) && unit.rail >= 0) label += fmt::format("\\nrail {}", unit.rail);
      }
      seen_[std::string(look_of(unit.kind).name)] = look_of(unit.kind).fill;
    }
    line("    b{} [label=\"{}\", fillcolor=\"{}\"{}];", box, label,
         unit.is_node ? "#eeeeee" : look_of(unit.kind).fill, count > 1 ? ", peripheries=2" : "");
  }

  void write_boxes(const Picture& picture, const std::vector<int>& box_of) {
    std::map<int, std::pair<std::size_t, int>> boxes;  // first unit, number of units
    for (std::size_t i = 0; i < box_of.size(); ++i) {
      auto& [first, members] = boxes.emplace(box_of[i], std::pair(i, 0)).first->second;
      ++members;
      const bool same = picture.units[i].rail == picture.units[first].rail;
      one_rail_[box_of[i]] = members == 1 || (one_rail_[box_of[i]] && same);
    }
    std::map<std::pair<int, int>, std::vector<int>> rows;  // by frame and level
    for (const auto& [box, members] : boxes) {
      const Unit& unit = picture.units[members.first];
      rows[{picture.devices ? unit.node : -1, level_of(unit)}].push_back(box);
      counts_[box] = members.second;
      first_[box] = &unit;
    }
    int frame = -1;
    for (const auto& [place, row] : rows) {
      if (place.first != frame) {
        if (frame >= 0) line("  }}");
        frame = place.first;
        line("  subgraph cluster_node_{} {{ style=rounded; color=\"#999999\"; fontsize=14;", frame);
        line("    label=\"{}\";", escaped(cluster_.nodes()[static_cast<std::size_t>(frame)].name));
      }
      line("    {{ rank=same;");
      for (const int box : row) write_box(box, *first_.at(box), counts_.at(box));
      std::string order;  // an unseen chain keeps the row in this order
      for (const int box : row) order += fmt::format("{}b{}", order.empty() ? "" : " -- ", box);
      if (row.size() > 1) line("    {} [style=invis];", order);
      line("    }}");
      widest_ = std::max(widest_, static_cast<double>(row.size()));
    }
    if (frame >= 0) line("  }}");
  }

  /// `ends` of each cable are at this box: 2 when it joins members of one box.
  std::string per_member(int box, int ends, const Bundle& bundle) const {
    const int count = counts_.at(box);
    if (count == 1) return "";
    const bool whole = bundle.cables * ends % count == 0;
    return fmt::format("\\n{}{:.3g} per {}", whole ? "" : "about ",
                       static_cast<double>(bundle.cables) * ends / count,
                       kind_name(*first_.at(box)));
  }

  std::string bundle_text(const BundleKey& key, const Bundle& bundle) const {
    const auto& [a, b, rate] = key;
    const auto in_network = [&](int box) {
      const Unit& unit = *first_.at(box);
      return !unit.is_node && (unit.kind == DeviceKind::leaf || unit.kind == DeviceKind::spine ||
                               unit.kind == DeviceKind::core);
    };
    std::string text = rate_text(rate, in_network(a) || in_network(b));
    if (bundle.cables > 1) text = fmt::format("{} x {}", topology::grouped(bundle.cables), text);
    text += per_member(a, a == b ? 2 : 1, bundle);
    if (a != b) text += per_member(b, 1, bundle);
    return text;
  }

  void write_bundles(const Picture& picture, const std::vector<int>& box_of) {
    const Bundles folded = folded_bundles(picture, box_of);
    heat_labels_ = with_heat_ && folded.size() <= heat_labels_max;
    std::map<std::string, int> equal;
    for (const auto& [key, bundle] : folded) ++equal[legend_text(key, bundle)];
    for (const auto& [key, bundle] : folded) write_bundle(key, bundle, equal);
    for (const auto& [text, count] : equal)
      if (count > equal_labels_max) legend_links_.push_back(text);
  }

  /// "GPU to NVSwitch: 371 GB/s"
  std::string legend_text(const BundleKey& key, const Bundle& bundle) const {
    const Unit* upper = first_.at(std::get<0>(key));
    const Unit* lower = first_.at(std::get<1>(key));
    if (level_of(*upper) > level_of(*lower)) std::swap(upper, lower);
    std::string text =
        fmt::format("{} to {}: {}", kind_name(*lower), kind_name(*upper), bundle_text(key, bundle));
    for (std::size_t at; (at = text.find("\\n")) != std::string::npos;) text.replace(at, 2, ", ");
    return text;
  }

  void write_bundle(const BundleKey& key, const Bundle& bundle,
                    const std::map<std::string, int>& equal) {
    int upper = std::get<0>(key);
    int lower = std::get<1>(key);
    if (level_of(*first_.at(upper)) > level_of(*first_.at(lower))) std::swap(upper, lower);
    const bool in_legend = equal.at(legend_text(key, bundle)) > equal_labels_max;
    std::string label = in_legend ? "" : bundle_text(key, bundle);
    std::string style = fmt::format("penwidth={}", bundle.cables > 1 ? 2.5 : 1.2);
    if (with_heat_) {
      const Heat& heat = heat_of(bundle.busiest);
      style += fmt::format(", color=\"{}\"", heat.colour);
    }
    if (heat_labels_) {
      if (!label.empty()) label += "\\n";
      label += bundle.cables > 1 ? fmt::format("{:.0f} %, mean {:.0f} %", 100 * bundle.busiest,
                                               100 * bundle.sum / bundle.cables)
                                 : fmt::format("{:.0f} %", 100 * bundle.busiest);
    }
    if (!label.empty()) ++labels_;
    line("  b{} -- b{} [label=\"{}\", {}];", upper, lower, indented(label), style);
  }

  /// Title and legend, above the drawing so that no line can cross them.
  std::string head() const {
    std::string rows =
        fmt::format("<tr><td><font point-size=\"20\">{}</font></td></tr>", html(summary(cluster_)));
    const auto swatch = [](std::string_view colour, std::string_view text) {
      return fmt::format(
          "<td bgcolor=\"{}\" width=\"22\" height=\"14\" "
          "fixedsize=\"true\"></td><td>{} </td>",
          colour, text);
    };
    const auto row = [&](std::string_view cells) {
      rows += fmt::format(
          "<tr><td><table border=\"0\" cellborder=\"0\"><tr>{}</tr></table></td>"
          "</tr>",
          cells);
    };
    std::string cells = "<td>box: </td>";
    for (const auto& [name, fill] : seen_) cells += swatch(fill, name);
    row(cells);
    if (with_heat_) {
      cells = "<td>line, by use of its busiest cable and direction: </td>";
      for (const Heat& heat : heats) cells += swatch(heat.colour, heat.name);
      row(cells);
    }
    for (const std::string& text : legend_links_) row("<td>" + text + "</td>");
    row("<td>rates: one direction, usable by payload; a thick line is several cables, a double "
        "frame several equal devices</td>");
    return fmt::format(
        "<table border=\"0\" cellborder=\"0\" cellspacing=\"1\" "
        "cellpadding=\"1\">{}</table>",
        rows);
  }

  const Cluster& cluster_;
  bool with_heat_;
  bool heat_labels_ = false;
  std::string out_;
  std::map<int, int> counts_;                     ///< units of each box
  std::map<int, bool> one_rail_;                  ///< whether all of them are on one rail
  std::map<int, const Unit*> first_;              ///< one of them
  std::map<std::string, std::string_view> seen_;  ///< what boxes there are, and their fill
  std::vector<std::string> legend_links_;         ///< labels too frequent to be repeated
  double widest_ = 1;                             ///< boxes of a row
  int labels_ = 0;
};

}  // namespace

std::string topology_dot(const Cluster& cluster, const std::vector<double>& link_utilisation) {
  const Picture picture = take_picture(cluster, link_utilisation);
  return Writer(cluster, !link_utilisation.empty()).write(picture, boxes_of(cluster, picture));
}

}  // namespace viz
