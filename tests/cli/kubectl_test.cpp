#include "cli/kubectl.hpp"

#include <algorithm>
#include <cstdlib>

#include "tests/cli/program.hpp"
#include "tests/cli/recorded_api_server.hpp"
#include "topology/import/kubernetes.hpp"

namespace {

using Reply = RecordedApiServer::Reply;

bool have_kubectl() {
  if (std::system("kubectl version --client >/dev/null 2>&1") == 0) return true;
  WARN("skipped: no kubectl in PATH");
  return false;
}

/// A server of two nodes on two pages and of nothing else.
class Cluster {
 public:
  Cluster() {
    write_file(folder_ / "config", server.kubeconfig());
    server.tell("/api/v1/nodes", {{200, page("gpu-0", "t=1")}});
    server.tell("/api/v1/nodes#t=1", {{200, page("gpu-1", "")}});
    server.tell("/api/v1/pods", {{200, R"({"kind":"PodList","apiVersion":"v1","items":[]})"}});
  }

  RecordedApiServer server;

  cli::LiveOptions options() const {
    cli::LiveOptions options;
    options.kubeconfig = folder_ / "config";
    options.context = "recorded";
    options.request_timeout = "10s";
    return options;
  }

  static std::string page(const std::string& node, const std::string& more) {
    return R"({"kind":"NodeList","apiVersion":"v1","metadata":{"continue":")" + more +
           R"("},"items":[{"metadata":{"name":")" + node +
           R"(","labels":{"node.kubernetes.io/instance-type":"p5.48xlarge"}},)"
           R"("status":{"allocatable":{"nvidia.com/gpu":"8"}}}]})";
  }

 private:
  Folder folder_;
};

std::string text_of(const base::Diagnostics& diagnostics) {
  std::string text;
  for (const base::Diagnostic& one : diagnostics) text += one.format() + "\n";
  return text;
}

std::string refusal_of(const Cluster& cluster) {
  const auto dump = cli::read_live(cluster.options());
  REQUIRE_FALSE(dump);
  return text_of(dump.error());
}

TEST_CASE("pages of a live cluster are read to their end, by read-only requests") {
  if (!have_kubectl()) return;
  Cluster cluster;
  const auto dump = cli::read_live(cluster.options());
  INFO((dump ? text_of(dump->notes) : text_of(dump.error())));
  REQUIRE(dump);
  CHECK(dump->notes.empty());  // what is not installed is nothing to tell of
  REQUIRE(dump->files.size() == 3);
  CHECK(dump->files[0].name == "/api/v1/nodes");
  CHECK(dump->files[2].name == "/api/v1/pods");
  for (const std::string& request : cluster.server.requests()) CHECK(request.starts_with("GET /"));
  const auto registry =
      topology::HardwareRegistry::read(std::string(FORESHARD_SOURCE_DIR) + "/scenarios/hardware");
  REQUIRE(registry);
  const auto found = topology::read_kubernetes_cluster(dump->files, {*registry, {}});
  REQUIRE(found);
  CHECK(found->nodes.size() == 2);
  CHECK(found->nodes[1].free_gpus == 8);
}

TEST_CASE("what may not be read is told with what follows, and the rest is read") {
  if (!have_kubectl()) return;
  Cluster cluster;
  cluster.server.tell("/api/v1/pods",
                      {RecordedApiServer::status(403, "Forbidden", "pods is forbidden: User 'u'")});
  cluster.server.tell("/apis/kueue.x-k8s.io",
                      {RecordedApiServer::status(403, "Forbidden", "no discovery")});
  const auto dump = cli::read_live(cluster.options());
  REQUIRE(dump);
  CHECK(dump->files.size() == 2);
  CHECK(text_of(dump->notes) ==
        "pods: warning: not read: Error from server (Forbidden): pods is forbidden: User 'u' "
        "(which GPUs are free is unknown)\n"
        "topologies.kueue.x-k8s.io: warning: not read: Error from server (Forbidden): no discovery "
        "(levels come from labels)\n");
}

TEST_CASE("objects of a group are read in its preferred version, else in one that serves them") {
  if (!have_kubectl()) return;
  Cluster cluster;
  cluster.server.tell("/apis/kueue.x-k8s.io",
                      {{200, R"({"kind":"APIGroup","apiVersion":"v1","name":"kueue.x-k8s.io",)"
                             R"("versions":[{"version":"v1alpha1"},{"version":"v1beta1"}],)"
                             R"("preferredVersion":{"version":"v1beta1"}})"}});
  cluster.server.tell("/apis/kueue.x-k8s.io/v1alpha1/topologies",
                      {{200, R"({"kind":"TopologyList","items":[]})"}});
  const auto dump = cli::read_live(cluster.options());
  REQUIRE(dump);
  REQUIRE(dump->files.size() == 4);
  CHECK(dump->files[3].name == "/apis/kueue.x-k8s.io/v1alpha1/topologies");
  const std::vector<std::string> requests = cluster.server.requests();
  const auto preferred =
      std::find(requests.begin(), requests.end(), "GET /apis/kueue.x-k8s.io/v1beta1/topologies");
  const auto older =
      std::find(requests.begin(), requests.end(), "GET /apis/kueue.x-k8s.io/v1alpha1/topologies");
  CHECK(preferred < older);
  CHECK(older != requests.end());
}

TEST_CASE("a list that grows stale is read again, once") {
  if (!have_kubectl()) return;
  Cluster cluster;
  const Reply stale = RecordedApiServer::status(410, "Expired", "The continue token is too old");
  cluster.server.tell("/api/v1/nodes#t=1", {stale, {200, Cluster::page("gpu-1", "")}});
  const auto dump = cli::read_live(cluster.options());
  INFO((dump ? "" : text_of(dump.error())));
  REQUIRE(dump);
  CHECK(dump->files.size() == 3);
  Cluster never;
  never.server.tell("/api/v1/nodes#t=1", {stale});
  CHECK(refusal_of(never) ==
        "/api/v1/nodes: error: Error from server (Expired): The continue token is too old (the "
        "list changes faster than it can be read; try again)\n");
}

TEST_CASE("why nodes cannot be read is told") {
  if (!have_kubectl()) return;
  Cluster cluster;
  struct Row {
    Reply reply;
    std::string want;
  };
  const Row row = GENERATE(values<Row>({
      {RecordedApiServer::status(401, "Unauthorized", "Unauthorized"),
       "error: You must be logged in to the server (Unauthorized) (log in again, then repeat)"},
      {RecordedApiServer::status(403, "Forbidden", "nodes is forbidden"),
       "Error from server (Forbidden): nodes is forbidden (ask for the rights get and list on "
       "nodes)"},
      {RecordedApiServer::status(503, "ServiceUnavailable", "etcd is away"),
       "Error from server (ServiceUnavailable): etcd is away (the server is busy or down; try "
       "again)"},
      {{200, "<html><body>Sign in</body></html>", "text/html"},
       "the answer is an HTML page: a proxy or a login page stands before the API server (try "
       "kubectl get nodes)"},
      {{502, "<html><body>Bad gateway</body></html>", "text/html"}, "Error from server "},
      {{200, "{\"kind\":\"NodeList\",\"items\":[{"},
       "the answer is no JSON: the file ends in the middle of a value"},
  }));
  cluster.server.tell("/api/v1/nodes", {row.reply});
  const std::string said = refusal_of(cluster);
  CHECK(said.starts_with("/api/v1/nodes: error: " + row.want));
}

TEST_CASE("a slow server is waited for as long as asked") {
  if (!have_kubectl()) return;
  Cluster cluster;
  cluster.server.tell("/api/v1/nodes", {{200, Cluster::page("gpu-0", ""), "application/json",
                                         std::chrono::milliseconds(1500)}});
  cli::LiveOptions options = cluster.options();
  options.request_timeout = "1s";
  const auto dump = cli::read_live(options);
  REQUIRE_FALSE(dump);
  CHECK(dump.error()[0].hint == "the server is slow; allow more with --request-timeout");
  CHECK(cli::read_live(cluster.options()));
}

TEST_CASE("without a kubeconfig it is said where kubectl looked") {
  if (!have_kubectl()) return;
  const Folder folder;
  // kubectl falls back to localhost:8080 where no file is named and none is at its usual place.
  const char* home = std::getenv("HOME");
  const std::string before = home == nullptr ? "" : home;
  setenv("HOME", folder.path().c_str(), 1);
  unsetenv("KUBECONFIG");
  const auto dump = cli::read_live({});
  setenv("HOME", before.c_str(), 1);
  REQUIRE_FALSE(dump);
  CHECK(dump.error()[0].hint ==
        "kubectl found no kubeconfig and tried this machine; name one with --kubeconfig");
  cli::LiveOptions options;
  options.kubeconfig = folder / "none";
  const auto named = cli::read_live(options);
  REQUIRE_FALSE(named);
  CHECK(named.error()[0].message.find("no such file or directory") != std::string::npos);
}

}  // namespace
