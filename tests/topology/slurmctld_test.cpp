// Writes clusters as topology.conf, has the real slurmctld read them, and reads what scontrol
// shows. Needs slurmctld 22.05 or later and scontrol; says so and passes where they are not
// installed.

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <pwd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <random>
#include <thread>

#include "tests/support/folder.hpp"
#include "tests/topology/cluster_shapes.hpp"
#include "tests/topology/import_support.hpp"
#include "topology/export/writers.hpp"
#include "topology/hostlist.hpp"

namespace topology {
namespace {

/// A port of this machine that nobody listens on.
int free_port() {
  const int listener = socket(AF_INET, SOCK_STREAM, 0);
  REQUIRE(listener >= 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof(address);
  REQUIRE(bind(listener, reinterpret_cast<sockaddr*>(&address), size) == 0);
  REQUIRE(getsockname(listener, reinterpret_cast<sockaddr*>(&address), &size) == 0);
  close(listener);
  return ntohs(address.sin_port);
}

std::string output_of(const std::string& command) {
  std::string text;
  FILE* pipe = popen(command.c_str(), "r");
  REQUIRE(pipe != nullptr);
  std::array<char, 4096> buffer{};
  for (std::size_t n = 0; (n = fread(buffer.data(), 1, buffer.size(), pipe)) > 0;)
    text.append(buffer.data(), n);
  pclose(pipe);
  return text;
}

std::string installed(const std::string& program) {
  for (const char* folder : {"/usr/sbin/", "/usr/bin/", "/usr/local/sbin/", "/usr/local/bin/"})
    if (std::filesystem::exists(folder + program)) return folder + program;
  return {};
}

/// slurmctld in a folder of its own, ended with the object.
class Slurmctld {
 public:
  Slurmctld(const std::string& program, const FoundCluster& cluster, const std::string& topology) {
    const std::string root = folder_.path() + "/";
    std::filesystem::create_directories(root + "state");
    std::ofstream(root + "topology.conf") << topology;
    std::ofstream conf(root + "slurm.conf");
    conf << "ClusterName=test\nSlurmctldHost=localhost\nSlurmctldPort=" << free_port()
         << "\nSlurmUser=" << getpwuid(geteuid())->pw_name
         << "\nAuthType=auth/none\nCredType=cred/none\nTopologyPlugin=topology/tree\n"
         << "StateSaveLocation=" << root << "state\nSlurmctldPidFile=" << root << "pid\n"
         << "SlurmctldLogFile=" << root << "log\nMailProg=/bin/true\n";
    int port = 30000;  // of slurmd, which never runs
    for (const FoundNode& node : cluster.nodes)
      conf << "NodeName=" << node.name << " NodeHostname=localhost Port=" << port++ << "\n";
    conf << "PartitionName=all Nodes=ALL Default=YES\n";
    conf.close();
    conf_ = root + "slurm.conf";
    pid_ = fork();
    REQUIRE(pid_ >= 0);
    if (pid_ == 0) {
      const int log = open((root + "out").c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
      dup2(log, 1);
      dup2(log, 2);
      execl(program.c_str(), "slurmctld", "-D", "-f", conf_.c_str(), nullptr);
      _exit(127);
    }
  }
  ~Slurmctld() {
    kill(pid_, SIGTERM);
    for (int i = 0; i < 50 && pid_ > 0; ++i) {
      if (waitpid(pid_, nullptr, WNOHANG) == pid_) return;
      std::this_thread::sleep_for(std::chrono::milliseconds(100));
    }
    kill(pid_, SIGKILL);
    waitpid(pid_, nullptr, 0);
  }
  Slurmctld(const Slurmctld&) = delete;
  Slurmctld& operator=(const Slurmctld&) = delete;

  /// What scontrol shows, once the controller answers; empty when it does not within 30 s.
  std::string topology(const std::string& scontrol) const {
    const std::string command =
        fmt::format("SLURM_CONF={} {} show topology 2>/dev/null", conf_, scontrol);
    for (int i = 0; i < 150; ++i) {
      std::string text = output_of(command);
      if (text.starts_with("SwitchName=")) return text;
      std::this_thread::sleep_for(std::chrono::milliseconds(200));
    }
    return {};
  }

 private:
  Folder folder_;
  std::string conf_;
  pid_t pid_ = -1;
};

TEST_CASE("slurmctld reads a written tree, and shows it as it was") {
  const std::string slurmctld = installed("slurmctld");
  const std::string scontrol = installed("scontrol");
  if (slurmctld.empty() || scontrol.empty()) {
    WARN("slurmctld or scontrol is not installed (Debian: slurmctld, slurm-client): not checked");
    return;
  }
  std::mt19937 random(11);
  for (const FoundCluster& cluster :
       {random_cluster(random, 40), random_cluster(random, 200), long_names_cluster()}) {
    const auto written = write_slurm_tree(cluster);
    REQUIRE(written);
    INFO(written->text);
    const Slurmctld controller(slurmctld, cluster, written->text);
    const auto shown = read_as("slurm-conf", controller.topology(scontrol));
    INFO((shown ? "" : text_of(shown.error())));
    REQUIRE(shown);
    CHECK(shape_of(*shown) == shape_of(cluster));
  }
}

}  // namespace
}  // namespace topology
