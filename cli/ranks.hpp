#pragma once

#include <exception>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/diagnostic.hpp"
#include "calibrate/harness/device.hpp"
#include "calibrate/harness/world.hpp"

/// Commands that measure or execute run as the ranks of a job: under mpirun or torchrun each
/// process is one, else the command starts them itself.
namespace cli {

struct JobOptions {
  std::string network = "mpi";   ///< a runtime with messages: mpi, gloo, nccl
  std::string compute = "blas";  ///< a runtime with kernels: blas, cuda
  int ranks = 0;                 ///< 0: as many as there are devices
  int timeout_s = 60;            ///< after which a rank that does not come is given up
};

/// The runtime whose devices a network's buffers lie on.
std::string compute_of(const std::string& network);

/// Whether this process is a rank of a job that somebody started: mpirun or srun
/// (MPI's own variables), torchrun (RANK, WORLD_SIZE, LOCAL_RANK) or start_ranks.
bool is_rank(const std::string& network);

/// How many ranks a job has if nobody says: one for each device.
base::Result<int> usual_ranks(const std::string& compute);

/// Starts `ranks` processes of this program with `arguments` and waits for them: by mpirun for mpi,
/// else as children of this one. When one fails the others are ended, within seconds. Nothing when
/// all came to a good end, else how the first one ended.
std::optional<std::string> start_ranks(const JobOptions& options,
                                       const std::vector<std::string>& arguments);

/// This rank, joined to the others, on its device.
struct RankHere {
  calibrate::harness::Device device;
  calibrate::harness::World world;
};
base::Result<RankHere> join_ranks(const JobOptions& options);

/// Tells what went wrong on this rank, and ends all of them.
[[noreturn]] void end_ranks(const RankHere& here, const std::exception& failure);

/// Joins the others and does `body`; what is thrown there is told with the rank's number, and ends
/// all of them.
void as_rank(const JobOptions& options, const std::function<void(const RankHere&)>& body);

}  // namespace cli
