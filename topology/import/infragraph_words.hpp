#pragma once

#include <array>
#include <optional>
#include <string>
#include <string_view>

/// How InfraGraph writes ends of cables.
namespace topology {

/// Numbers of things from `first` to `last` - 1.
struct Slice {
  std::string name;
  int first = 0;
  int last = -1;  ///< -1: all
};

/// "host", "host[1]", "host[0:2]", "host[:2]"; nothing for another text.
std::optional<Slice> slice_of(std::string_view text);

/// A cable in one text, as before version 2.
struct Connection {
  struct End {
    Slice instance;
    Slice component;
  };
  std::string link;
  std::array<End, 2> ends;
};

/// "host.0.nic.1.eth.leaf.0.port.3"; nothing for another text.
std::optional<Connection> connection_of(std::string_view text);

}  // namespace topology
