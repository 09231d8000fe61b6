#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <type_traits>
#include <vector>

#include "base/diagnostic.hpp"
#include "calibrate/records.hpp"
#include "calibrate/runtime/runtime.h"

/// The ranks of a job and their groups, on a runtime's messages.
namespace calibrate::harness {

/// One call of a collective; see foreshard_collective.
struct CollectiveCall {
  base::Collective op = base::Collective::all_reduce;
  std::string dtype = "float";
  std::string reduction = "sum";
  std::int64_t count = 0;
  int root = 0;
  int destination = -1;
  int source = -1;
};

class World {
  struct Joined;

 public:
  /// Some ranks of the world. A rank that is not among them has an empty one, and may not use it.
  class Group {
   public:
    int rank() const { return rank_; }  ///< in the group; -1: not in it
    int ranks() const { return static_cast<int>(members_.size()); }
    const std::vector<int>& members() const { return members_; }  ///< ranks of the world
    /// Throws base::EnvironmentError with the library's words when it fails.
    void run(const CollectiveCall& call, const void* send, void* receive, void* stream) const;
    /// All ranks of the group have come when it returns.
    void barrier() const;
    /// Seconds that the library says that it will take; nothing where it does not say.
    std::optional<double> estimate(const CollectiveCall& call) const;

   private:
    friend class World;
    std::shared_ptr<const Joined> world_;
    std::shared_ptr<void> communicator_;
    int rank_ = -1;
    std::vector<int> members_;
  };

  /// Joins the other ranks. Fails, within the time-out of the rendezvous, when not all come.
  static base::Result<World> join(const foreshard_network& runtime,
                                  const foreshard_rendezvous& rendezvous);

  int rank() const;
  int ranks() const;
  /// Ends all ranks at once: one that fails would leave the others waiting.
  [[noreturn]] void abort() const;
  bool host_memory() const;  ///< buffers lie in host memory, and calls block
  std::vector<Software> software() const;

  /// Every rank of the world calls it, each with its own group or none.
  Group group(std::span<const int> members) const;
  /// What every rank has, by rank; all have equally much.
  template <class T>
  std::vector<T> share(const std::vector<T>& mine) const {
    static_assert(std::is_trivially_copyable_v<T>);
    std::vector<T> all(mine.size() * static_cast<std::size_t>(ranks()));
    share(mine.data(), all.data(), mine.size() * sizeof(T));
    return all;
  }
  /// What rank 0 says, on all ranks.
  template <class T>
  T agree(const T& mine) const {
    return share(std::vector<T>{mine}).front();
  }

 private:
  explicit World(std::shared_ptr<const Joined> joined) : joined_(std::move(joined)) {}
  void share(const void* mine, void* all, std::size_t bytes) const;
  std::shared_ptr<const Joined> joined_;
};

}  // namespace calibrate::harness
