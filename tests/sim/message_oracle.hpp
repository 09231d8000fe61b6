#pragma once

#include <cstdint>
#include <map>
#include <utility>
#include <vector>

#include "sim/collectives/collectives.hpp"
#include "tests/support/catch.hpp"

namespace sim::collectives {

/// A piece of data on its way.
struct Message {
  int from = 0;
  int to = 0;
  int piece = 0;
};

/// The same messages the other way round and last first: what brings pieces to all collects them.
inline std::vector<Message> mirrored(const std::vector<Message>& messages) {
  std::vector<Message> back;
  for (auto message = messages.rbegin(); message != messages.rend(); ++message)
    back.push_back({message->to, message->from, message->piece});
  return back;
}

/// Runs a schedule message by message, slow and obvious. What a rank holds of a piece is the set of
/// ranks whose data is in it; nobody may send what it has not, add the same data twice, or replace
/// data by less.
class MessageOracle {
 public:
  using Ranks = std::uint32_t;  ///< a bit each, at most 32

  MessageOracle(int ranks, std::vector<std::int64_t> piece_bytes)
      : bytes_(std::move(piece_bytes)),
        held_(static_cast<std::size_t>(ranks), std::vector<Ranks>(bytes_.size(), 0)) {}

  int ranks() const { return static_cast<int>(held_.size()); }
  int pieces() const { return static_cast<int>(bytes_.size()); }
  Ranks held(int rank, int piece) const { return held_[at(rank)][at(piece)]; }
  Ranks everyone() const { return static_cast<Ranks>((std::uint64_t{1} << held_.size()) - 1); }

  void give(int rank, int piece) { held_[at(rank)][at(piece)] |= Ranks{1} << rank; }
  /// Everyone starts with data of its own for each piece.
  void give_all() {
    for (int rank = 0; rank < ranks(); ++rank)
      for (int piece = 0; piece < pieces(); ++piece) give(rank, piece);
  }

  /// A round: what is sent is what was held before it.
  void copy(const std::vector<Message>& round) { move(round, false); }
  void reduce(const std::vector<Message>& round) { move(round, true); }

  /// One message after the other.
  void copy_in_turn(const std::vector<Message>& messages) {
    for (const Message& message : messages) copy({message});
  }
  void reduce_in_turn(const std::vector<Message>& messages) {
    for (const Message& message : messages) reduce({message});
  }

  /// Bytes that have gone from each to each, by sender, then receiver.
  std::vector<Flow> flows() const {
    std::vector<Flow> flows;
    for (const auto& [pair, bytes] : moved_)
      if (bytes > 0) flows.push_back({pair.first, pair.second, base::Bytes::from_count(bytes)});
    return flows;
  }

 private:
  static std::size_t at(int i) { return static_cast<std::size_t>(i); }

  void move(const std::vector<Message>& round, bool add) {
    const std::vector<std::vector<Ranks>> before = held_;
    for (const Message& message : round) {
      const Ranks data = before[at(message.from)][at(message.piece)];
      Ranks& there = held_[at(message.to)][at(message.piece)];
      REQUIRE(data != 0);
      REQUIRE(message.from != message.to);
      if (add)
        REQUIRE((there & data) == 0);
      else
        REQUIRE((there & ~data) == 0);
      there |= data;
      moved_[{message.from, message.to}] += bytes_[at(message.piece)];
    }
  }

  std::vector<std::int64_t> bytes_;
  std::vector<std::vector<Ranks>> held_;
  std::map<std::pair<int, int>, std::int64_t> moved_;
};

}  // namespace sim::collectives
