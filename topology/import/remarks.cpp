#include "topology/import/remarks.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <utility>

namespace topology {

void Remarks::add(const std::string& what, std::string name, const base::SourceRef& where,
                  const std::string& hint, base::Severity severity) {
  const auto [at, is_new] = at_.emplace(what, groups_.size());
  if (is_new) groups_.push_back({{where, what, hint, severity}, {}, 0});
  Group& group = groups_[at->second];
  ++group.count;
  if (group.names.size() < names_shown && !name.empty()) group.names.push_back(std::move(name));
}

void Remarks::report(base::Diagnostics& to) const {
  for (const Group& group : groups_) {
    base::Diagnostic note = group.note;
    note.message += fmt::format(": {}", group.count);
    if (!group.names.empty())
      note.message +=
          fmt::format(" ({}{})", fmt::join(group.names, ", "),
                      static_cast<std::size_t>(group.count) > group.names.size() ? ", ..." : "");
    to.push_back(std::move(note));
  }
}

}  // namespace topology
