#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/units.hpp"

/// Words that all InfiniBand tools use.
namespace topology {

/// A GUID as 16 small hexadecimal digits, whatever its padding and case: "0x1000F", "10000f",
/// "0x0000:0000:0010:000f". Nothing when it is none, or 0.
std::optional<std::string> ib_guid(std::string_view text);

/// "4x" or "4X" lanes; 0: no width.
int ib_lanes(std::string_view text);

/// Rate of one lane by its name ("NDR"), one direction: the round figure of the vendors' names,
/// 100 Gbit/s a lane of NDR. SDR, DDR and QDR are signalling rates, of which 8b/10b coding leaves
/// 8/10 for data (2, 4, 8 Gbit/s); from FDR10 on coding takes some 3 %. InfiniBand Architecture
/// Specification volume 2; NVIDIA Quantum-2 and Quantum-X800 data sheets for NDR and XDR.
std::optional<base::BytesPerSecond> ib_lane_rate(std::string_view name);

/// The same by the signalling rate that iblinkinfo prints: 2.5, 5.0, 10.0, 14.0625, 25.78125,
/// 53.125, 106.25, 212.5 Gbit/s are SDR to XDR. Any other rate is itself.
base::BytesPerSecond ib_lane_rate(double gbit);

/// What a node description says.
struct IbDescription {
  std::string host;          ///< of a channel adapter; empty: it does not tell
  std::string nic;           ///< "mlx5_5", "HCA-6"; empty: it does not tell
  bool aggregation = false;  ///< a SHARP aggregation node: inside a switch, no machine
};

/// Of a channel adapter: "host mlx5_5", "host HCA-6", "host". Drivers that know no host name write
/// the name of the chip ("MT4129 ConnectX7   Mellanox Technologies").
IbDescription ib_adapter(std::string_view description);

/// Whether the description can only be an adapter's: it names a port of a host, or such a chip.
bool is_ib_adapter(std::string_view description);

/// Of a switch: "MF0;A09-P1-IBLEAF-04:MQM9701/U1" is A09-P1-IBLEAF-04, a MQM9701; of a chassis with
/// several chips the place of the chip stays a part of the name. Any other text is a name.
struct IbSwitchName {
  std::string name;
  std::string model;
};
IbSwitchName ib_switch(std::string_view description);

}  // namespace topology
