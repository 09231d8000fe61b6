#pragma once

#include "calibrate/backends/hockney.hpp"

/// Collectives of libraries that work in host memory: buffers come down from the GPU over PCIe,
/// travel between processes, are added up by the CPU, and go up again.
namespace calibrate::backends {

/// What the host and the library's transport can do. Assumed figures of a server, not measured.
struct HostPath {
  base::Seconds inside_latency;  ///< of a message between processes of one host
  base::Seconds across_latency;  ///< of one over the network, above the NIC's own
  base::BytesPerSecond copy;     ///< of one process from memory to memory
  int copies_inside = 1;         ///< of each byte on its way to another process of the host
  int copies_across = 0;         ///< of each byte on its way to the NIC
  base::BytesPerSecond add;      ///< of one process, of the bytes that it adds to its own
  base::Seconds staging;         ///< of a copy between GPU and host, before bytes flow
};

/// The links of a group as such a library sees them.
Links host_links(const GroupShape& shape, const HostPath& path);

/// The way with the copies between GPU and host, and with the additions where `op` adds.
Way staged(Way way, Collective op, base::Bytes bytes, const GroupShape& shape,
           const HostPath& path);

}  // namespace calibrate::backends
