#include "topology/node_names.hpp"

#include <algorithm>

namespace topology {

namespace {

std::string lower(std::string_view name) {
  std::string out(name);
  std::transform(out.begin(), out.end(), out.begin(), [](char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  });
  return out;
}

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
  const std::string key = lower(name);
  whole_[key].insert(node);
  short_[std::string(host_of(key))].insert(node);
}

std::optional<std::size_t> NodeNames::find(std::string_view name) const {
  const std::string key = lower(name);
  if (whole_.contains(key)) return only(whole_, key);
  // Two names with different domains are different machines, however alike the hosts are.
  const std::string_view host = host_of(key);
  if (host.size() == key.size()) return only(short_, key);
  const auto bare = whole_.find(host);
  return bare == whole_.end() ? std::nullopt : only(short_, host);
}

}  // namespace topology
