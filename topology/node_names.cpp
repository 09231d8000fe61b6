#include "topology/node_names.hpp"

#include "topology/import/text_lines.hpp"

namespace topology {

namespace {

/// The name of the host alone; the whole of an address.
std::string_view host_of(std::string_view name) {
  const bool address = name.find_first_not_of("0123456789.:abcdef") == std::string_view::npos &&
                       name.find_first_of(".:") != std::string_view::npos;
  return address ? name : name.substr(0, name.find('.'));
}

using Index = std::map<std::string, std::set<std::size_t>, std::less<>>;

std::optional<std::size_t> only(const Index& index, std::string_view name) {
  const auto found = index.find(name);
  if (found == index.end() || found->second.size() != 1) return std::nullopt;
  return *found->second.begin();
}

}  // namespace

void NodeNames::add(std::string_view name, std::size_t node) {
  if (name.empty()) return;
  const std::string key = lower_case(name);
  whole_[key].insert(node);
  short_[std::string(host_of(key))].insert(node);
}

std::optional<std::size_t> NodeNames::find(std::string_view name) const {
  const std::string key = lower_case(name);
  if (whole_.contains(key)) return only(whole_, key);
  // Two names with different domains are different machines, however alike the hosts are.
  const std::string_view host = host_of(key);
  if (host.size() == key.size()) return only(short_, key);
  const auto bare = whole_.find(host);
  return bare == whole_.end() ? std::nullopt : only(short_, host);
}

void NodeNames::add(const FoundNode& machine, std::size_t node) {
  add(machine.name, node);
  for (const std::string& alias : machine.aliases) add(alias, node);
}

std::optional<std::size_t> NodeNames::find(const FoundNode& machine) const {
  std::optional<std::size_t> at = find(machine.name);
  for (const std::string& alias : machine.aliases)
    if (!at) at = find(alias);
  return at;
}

}  // namespace topology
