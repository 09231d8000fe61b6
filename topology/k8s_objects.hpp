#pragma once

#include <deque>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/document.hpp"
#include "topology/dump_file.hpp"

/// What Kubernetes wrote, as a flat list of objects, before anything is concluded from them.
namespace topology {

/// One object. Views and pointers lead into KubernetesObjects::documents.
struct KubernetesObject {
  std::string_view group;  ///< "kueue.x-k8s.io"; empty: the core group, or not told
  std::string_view kind;   ///< "Node"
  std::string_view name;   ///< of its metadata; empty: none
  std::string_view name_space;
  const base::Node* node = nullptr;
  const base::Document* document = nullptr;

  /// Its name, or all of it where it has none.
  base::SourceRef where() const;
};

/// A list that objects were wrapped in.
struct KubernetesList {
  std::string_view item_kind;  ///< "Pod" of a PodList; empty: a List of anything
  base::SourceRef kind_at;
  std::size_t items = 0;
  std::string_view more;  ///< token of the page behind it; empty: this is the last
  std::string_view rest;  ///< number of objects behind it; empty: not told
  base::SourceRef more_at;
};

struct KubernetesObjects {
  std::deque<base::Document> documents;
  std::vector<KubernetesObject> all;  ///< in the order of the files
  std::vector<KubernetesList> lists;

  /// Objects of one kind of one group, in their order.
  std::vector<const KubernetesObject*> of(std::string_view group, std::string_view kind) const;
  /// Whether the dump would hold such objects if there were any.
  bool told_of(std::string_view kind) const;
};

/// Reads what kubectl or the API server gave: objects, lists, arrays of either, as JSON (several
/// texts may follow each other) or YAML (with `---` between documents). Tells what a text is when
/// it is something else: a page of HTML, a table, an error of the API server. Two objects of one
/// kind and name are a mistake; a page whose rest is not there gives a warning.
base::Result<KubernetesObjects> read_kubernetes(std::span<const DumpFile> files,
                                                base::Diagnostics& notes);

/// Whether a text begins like one of these, or is what kubectl says instead.
bool looks_like_kubernetes(std::string_view text);

// Members of a map that may be absent, or anything.

/// A scalar's text; empty when there is none.
std::string_view text_at(const base::Node* map, std::string_view key);
/// A map; nullptr when there is none.
const base::Node* map_at(const base::Node* map, std::string_view key);
/// The values of a list; none when there is no list.
std::span<const base::Node> items_at(const base::Node* map, std::string_view key);

}  // namespace topology
