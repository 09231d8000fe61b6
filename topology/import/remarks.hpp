#pragma once

#include <string>
#include <unordered_map>
#include <vector>

#include "base/diagnostic.hpp"

namespace topology {

/// Collects remarks on single devices and cables, so that a million of a kind make one note.
class Remarks {
 public:
  /// `what` stands before the number of them and the names of the first few: "switches without a
  /// cable".
  void add(const std::string& what, std::string name, const base::SourceRef& where,
           const std::string& hint = {}, base::Severity severity = base::Severity::note);
  /// One note for each `what`, in the order of their first remarks: "what: 12 (a, b, c, d, ...)".
  void report(base::Diagnostics& to) const;

 private:
  struct Group {
    base::Diagnostic note;
    std::vector<std::string> names;  ///< the first few
    int count = 0;
  };
  static constexpr std::size_t names_shown = 4;
  std::vector<Group> groups_;
  std::unordered_map<std::string, std::size_t> at_;  ///< by `what`
};

}  // namespace topology
