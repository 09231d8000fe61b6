#include "cli/ranks.hpp"

#include <fmt/format.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <thread>

#include "base/check.hpp"
#include "calibrate/runtime/loader.hpp"
#include "cli/child_process.hpp"
#include "cli/exit_code.hpp"
#include "cli/output.hpp"

namespace cli {

namespace {

constexpr const char* place_variable = "FORESHARD_RENDEZVOUS";

std::optional<int> number(const char* name) {
  const char* const text = std::getenv(name);
  if (text == nullptr) return {};
  int value = 0;
  const auto [end, error] = std::from_chars(text, text + std::strlen(text), value);
  if (error != std::errc() || *end != '\0') return {};
  return value;
}

/// Number of this rank on its host, by whoever started it.
int local_rank() {
  for (const char* name : {"OMPI_COMM_WORLD_LOCAL_RANK", "LOCAL_RANK", "MPI_LOCALRANKID"})
    if (const auto value = number(name)) return *value;
  return 0;
}

std::string program() { return std::filesystem::read_symlink("/proc/self/exe").string(); }

/// A folder where ranks of one host find each other; gone with this.
class Rendezvous {
 public:
  Rendezvous() {
    std::string pattern = (std::filesystem::temp_directory_path() / "foreshard-XXXXXX").string();
    if (mkdtemp(pattern.data()) == nullptr)
      throw base::EnvironmentError(fmt::format("{}: {}", pattern, std::strerror(errno)));
    path_ = pattern;
  }
  Rendezvous(const Rendezvous&) = delete;
  ~Rendezvous() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

std::optional<std::string> start_mpi(int ranks, const std::vector<std::string>& arguments) {
  std::vector<std::string> words{"mpirun", "-n", std::to_string(ranks), "--quiet"};
  // More ranks than cores share them, and must give way while they wait.
  const bool shared = ranks > static_cast<int>(std::thread::hardware_concurrency());
  for (const char* word : {"--oversubscribe", "--bind-to", shared ? "none" : "core"})
    words.emplace_back(word);
  words.push_back(program());
  words.insert(words.end(), arguments.begin(), arguments.end());
  // Containers run as root; whoever has no right to start processes there is stopped elsewhere.
  const pid_t child = start_process(
      words, {{"OMPI_ALLOW_RUN_AS_ROOT", "1"}, {"OMPI_ALLOW_RUN_AS_ROOT_CONFIRM", "1"}});
  if (auto fault = wait_for(child)) return fmt::format("mpirun {}", *fault);
  return {};
}

void end_all(const std::vector<pid_t>& ranks) {
  for (const pid_t rank : ranks) kill(rank, SIGTERM);
  // Those that do not listen are killed after some seconds.
  for (int tenths = 0; tenths < 30; ++tenths) {
    if (waitpid(-1, nullptr, WNOHANG) < 0) return;
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
  }
  for (const pid_t rank : ranks) kill(rank, SIGKILL);
  while (waitpid(-1, nullptr, 0) > 0) {
  }
}

std::optional<std::string> start_children(int ranks, const std::vector<std::string>& arguments) {
  const Rendezvous rendezvous;
  std::vector<std::string> words{program()};
  words.insert(words.end(), arguments.begin(), arguments.end());
  std::vector<pid_t> children;
  for (int rank = 0; rank < ranks; ++rank)
    children.push_back(start_process(words, {{"RANK", std::to_string(rank)},
                                             {"WORLD_SIZE", std::to_string(ranks)},
                                             {"LOCAL_RANK", std::to_string(rank)},
                                             {place_variable, rendezvous.path()}}));
  for (int running = ranks; running > 0; --running) {
    int status = 0;
    pid_t ended = 0;
    do ended = waitpid(-1, &status, 0);
    while (ended < 0 && errno == EINTR);
    const auto rank = std::find(children.begin(), children.end(), ended) - children.begin();
    if (auto fault = fault_of(status)) {
      children.erase(children.begin() + rank);
      end_all(children);
      return fmt::format("rank {} of {} {}", rank, ranks, *fault);
    }
  }
  return {};
}

}  // namespace

std::string compute_of(const std::string& network) { return network == "nccl" ? "cuda" : "blas"; }

bool is_rank(const std::string& network) {
  if (network == "mpi") {
    const std::array names{"OMPI_COMM_WORLD_RANK", "PMI_RANK", "PMIX_RANK"};
    return std::any_of(names.begin(), names.end(),
                       [](const char* name) { return std::getenv(name) != nullptr; });
  }
  return number("RANK") && number("WORLD_SIZE");
}

base::Result<int> usual_ranks(const std::string& compute) {
  const auto runtime = calibrate::runtime::load_compute(compute);
  if (!runtime) return tl::unexpected(runtime.error());
  const int devices = (*runtime)->devices();
  if (devices == 0)
    return tl::unexpected(base::Diagnostics{
        {{}, fmt::format("{}: no device: {}", compute, (*runtime)->error(nullptr))}});
  return devices;
}

std::optional<std::string> start_ranks(const JobOptions& options,
                                       const std::vector<std::string>& arguments) {
  CHECK_INVARIANT(options.ranks >= 1);
  return options.network == "mpi" ? start_mpi(options.ranks, arguments)
                                  : start_children(options.ranks, arguments);
}

base::Result<RankHere> join_ranks(const JobOptions& options) {
  const auto network = calibrate::runtime::load_network(options.network);
  const auto compute = calibrate::runtime::load_compute(options.compute);
  base::Diagnostics problems;
  if (!network) problems = network.error();
  if (!compute) problems.insert(problems.end(), compute.error().begin(), compute.error().end());
  if (!problems.empty()) return tl::unexpected(std::move(problems));
  const int devices = std::max(1, (*compute)->devices());
  const int device_number = local_rank() % devices;
  auto device = calibrate::harness::Device::open(**compute, device_number);
  if (!device) return tl::unexpected(device.error());
  const char* const place = std::getenv(place_variable);
  if (options.network != "mpi" && place == nullptr)
    return tl::unexpected(base::Diagnostics{
        {{},
         "ranks do not know where to meet",
         fmt::format("set {} to a new folder that all of them see", place_variable)}});
  if (options.network != "mpi" && !std::filesystem::is_directory(place))
    return tl::unexpected(base::Diagnostics{
        {{place},
         "is no folder in which ranks could meet",
         fmt::format("make it, empty, where all of them see it; {} names it", place_variable)}});
  auto world =
      calibrate::harness::World::join(**network, {.rank = number("RANK").value_or(0),
                                                  .ranks = number("WORLD_SIZE").value_or(0),
                                                  .place = place,
                                                  .device = device_number,
                                                  .timeout_s = options.timeout_s});
  if (!world) return tl::unexpected(world.error());
  return RankHere{std::move(*device), std::move(*world)};
}

void end_ranks(const RankHere& here, const std::exception& failure) {
  fmt::print(stderr, "foreshard: error: rank {}: {}\n", here.world.rank(), failure.what());
  here.world.abort();
}

void as_rank(const JobOptions& options, const std::function<void(const RankHere&)>& body) {
  const auto here = join_ranks(options);
  if (!here) {
    print(here.error());
    leave_with(broken);
    return;
  }
  try {
    body(*here);
  } catch (const std::exception& failure) {
    end_ranks(*here, failure);
  }
}

}  // namespace cli
