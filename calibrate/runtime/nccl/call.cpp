#include "calibrate/runtime/nccl/call.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <span>

#include "calibrate/runtime/failure.hpp"

namespace calibrate::runtime::nccl {

namespace {

using base::Collective;

std::string_view word_of(const char* word) { return word == nullptr ? "" : word; }

Collective op_of(std::string_view name) {
  for (const auto& [known, op] : base::collective_names)
    if (known == name) return op;
  throw Failure(fmt::format("no collective '{}'", name));
}

template <std::size_t N>
int index_of(const std::array<std::string_view, N>& names, std::string_view name,
             std::string_view what) {
  const auto found = std::find(names.begin(), names.end(), name);
  if (found == names.end()) throw Failure(fmt::format("NCCL has no {} '{}'", what, name));
  return static_cast<int>(found - names.begin());
}

bool reduces(Collective op) {
  return op == Collective::all_reduce || op == Collective::reduce_scatter ||
         op == Collective::reduce;
}

bool has_root(Collective op) {
  return op == Collective::broadcast || op == Collective::reduce || op == Collective::gather ||
         op == Collective::scatter;
}

/// A peer of send_receive; -1 is none.
int peer_of(std::int32_t peer, int ranks) {
  if (peer < -1 || peer >= ranks) throw Failure(fmt::format("no rank {} among {}", peer, ranks));
  return peer;
}

}  // namespace

Call call_of(const foreshard_collective& collective, int ranks) {
  Call call;
  call.op = op_of(word_of(collective.operation));
  if (call.op == Collective::barrier) return call;
  call.dtype = index_of(dtypes, word_of(collective.dtype), "data type");
  if (reduces(call.op))
    call.reduction = index_of(reductions, word_of(collective.reduction), "reduction");
  if (collective.count < 0) throw Failure(fmt::format("{} elements", collective.count));
  call.count = static_cast<std::size_t>(collective.count);
  if (has_root(call.op)) {
    if (collective.root < 0 || collective.root >= ranks)
      throw Failure(fmt::format("no root {} among {} ranks", collective.root, ranks));
    call.root = collective.root;
  }
  if (call.op == Collective::send_receive) {
    call.destination = peer_of(collective.destination, ranks);
    call.source = peer_of(collective.source, ranks);
  }
  return call;
}

Split split_of(const std::int32_t* ranks, std::int32_t count, int rank, int world) {
  const std::span members(ranks, static_cast<std::size_t>(count));
  const std::set<std::int32_t> sorted(members.begin(), members.end());
  if (sorted.size() != members.size()) throw Failure("a rank is twice in a communicator");
  if (*sorted.begin() < 0 || *sorted.rbegin() >= world)
    throw Failure(fmt::format("ranks of a communicator are not of the {} there are", world));
  const auto mine = std::find(members.begin(), members.end(), rank);
  if (mine == members.end())
    throw Failure(fmt::format("rank {} asks for a communicator that it is not in", rank));
  return {*sorted.begin(), static_cast<int>(mine - members.begin())};
}

}  // namespace calibrate::runtime::nccl
