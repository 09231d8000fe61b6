#include "topology/import/infiniband.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <utility>

#include "topology/import/text_lines.hpp"

namespace topology {

namespace {

struct Speed {
  std::string_view name;
  double gbit;       ///< of a lane, as the name is understood
  double signalled;  ///< as iblinkinfo prints it
};
constexpr std::array<Speed, 9> speeds{{{"SDR", 2.5, 2.5},
                                       {"DDR", 5, 5},
                                       {"QDR", 10, 10},
                                       {"FDR10", 10, 10.3125},
                                       {"FDR", 14, 14.0625},
                                       {"EDR", 25, 25.78125},
                                       {"HDR", 50, 53.125},
                                       {"NDR", 100, 106.25},
                                       {"XDR", 200, 212.5}}};

/// What drivers call devices, in front of a number: mlx5_0, hfi1_0, HCA-1, ibp24s0, rocep24s0.
constexpr std::array<std::string_view, 15> device_names{
    "mlx4_", "mlx5_", "mthca",   "HCA-",  "hfi1_", "qib",    "ib", "roce",
    "rdmap", "efa_",  "bnxt_re", "irdma", "mana_", "ocrdma", "opa"};

bool is_device(std::string_view word) {
  return word.find_first_of("0123456789") != std::string_view::npos &&
         std::any_of(device_names.begin(), device_names.end(),
                     [&](std::string_view name) { return word.starts_with(name); });
}

/// "MT4129", as Mellanox calls its chips.
bool is_chip(std::string_view word) {
  return word.size() > 2 && word.starts_with("MT") && word[2] >= '0' && word[2] <= '9';
}

}  // namespace

std::optional<std::string> ib_guid(std::string_view text) {
  text = trimmed(text);
  if (text.starts_with("0x") || text.starts_with("0X")) text.remove_prefix(2);
  std::string digits = lower_case(text);
  std::erase(digits, ':');
  digits.erase(0, std::min(digits.find_first_not_of('0'), digits.size()));
  if (digits.empty() || digits.size() > 16 ||
      digits.find_first_not_of("0123456789abcdef") != std::string::npos)
    return std::nullopt;
  return std::string(16 - digits.size(), '0') + digits;
}

int ib_lanes(std::string_view text) {
  if (text.empty() || (text.back() != 'x' && text.back() != 'X')) return 0;
  text.remove_suffix(1);
  for (const int lanes : {1, 2, 4, 8, 12})
    if (text == std::to_string(lanes)) return lanes;
  return 0;
}

std::optional<base::BytesPerSecond> ib_lane_rate(std::string_view name) {
  for (const Speed& speed : speeds)
    if (speed.name == name) return base::BytesPerSecond::from_gbit(speed.gbit);
  return std::nullopt;
}

base::BytesPerSecond ib_lane_rate(double gbit) {
  for (const Speed& speed : speeds)
    if (std::abs(gbit - speed.signalled) < 0.01) return base::BytesPerSecond::from_gbit(speed.gbit);
  return base::BytesPerSecond::from_gbit(gbit);
}

IbDescription ib_adapter(std::string_view description) {
  IbDescription out;
  if (description.find("Aggregation Node") != std::string_view::npos) {
    out.aggregation = true;
    return out;
  }
  LineScanner scan(trimmed(description));
  const std::string_view host = scan.word();
  scan.skip_spaces();
  const std::string_view nic = scan.word();
  // "localhost" is what a node says before it knows its name: many nodes could.
  if (!scan.rest().empty() || host.empty() || is_chip(host) || host == "localhost" ||
      host == "(none)")
    return out;
  if (!nic.empty() && !is_device(nic)) return out;
  out.host = printable(host);
  out.nic = printable(nic);
  return out;
}

bool is_ib_adapter(std::string_view description) {
  const IbDescription said = ib_adapter(description);
  return said.aggregation || !said.nic.empty() || is_chip(trimmed(description)) ||
         description.find("ConnectX") != std::string_view::npos;
}

IbSwitchName ib_switch(std::string_view description) {
  description = trimmed(description);
  // MF0;NAME:MODEL/CHIP, as MLNX-OS and NVOS write it.
  const std::size_t name = description.find(';');
  const std::size_t model = description.rfind(':');
  const std::size_t chip = description.find('/', std::min(model, description.size()));
  if (!description.starts_with("MF") || name == std::string_view::npos ||
      model == std::string_view::npos || model < name || chip == std::string_view::npos)
    return {printable(description), ""};
  IbSwitchName out{printable(description.substr(name + 1, model - name - 1)),
                   printable(description.substr(model + 1, chip - model - 1))};
  if (out.name.empty()) return {printable(description), ""};
  if (const std::string_view place = description.substr(chip); place != "/U1")
    out.name += printable(place);
  return out;
}

}  // namespace topology
