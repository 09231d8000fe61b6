#pragma once

#include <string>
#include <vector>

#include "base/diagnostic.hpp"
#include "topology/dump_file.hpp"

/// A cluster read live, by the user's own kubectl: it knows how to log in.
namespace cli {

/// Passed through to kubectl where they are not empty.
struct LiveOptions {
  std::string context;
  std::string kubeconfig;
  std::string request_timeout = "60s";  ///< of each request
  std::string as;                       ///< user to impersonate
  int page = 500;                       ///< objects a request asks for, as kubectl itself does
};

/// What the API server answered, one file for each page, named by its path: "/api/v1/nodes".
struct LiveDump {
  std::vector<topology::DumpFile> files;
  base::Diagnostics notes;  ///< what could not be read, and what follows
};

/// Asks for nodes, pods, and those scheduling and device objects that the cluster has, by
/// `kubectl get --raw` and nothing else. Nodes must be readable; all else may be refused, with a
/// warning. A list that grows stale between two pages is read again, once. Throws
/// base::EnvironmentError where there is no kubectl.
base::Result<LiveDump> read_live(const LiveOptions& options);

}  // namespace cli
