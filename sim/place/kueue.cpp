#include <algorithm>
#include <cmath>
#include <limits>
#include <map>

#include "sim/place/rules.hpp"

/// After KEP-2724 and pkg/cache/scheduler/tas_*.go of Kueue; no leaders, no affinity.
namespace sim::place {

namespace {

std::size_t at(int i) { return static_cast<std::size_t>(i); }

class Kueue {
 public:
  Kueue(const RoomTree& tree, const KueueRequest& request)
      : tree_(tree),
        request_(request),
        slice_depth_(request.slice_level < 0 ? tree.depth : request.slice_level),
        pods_(tree.vertices.size(), 0),
        slices_(tree.vertices.size(), 0) {
    for (std::size_t i = 0; i < tree.vertices.size(); ++i)
      if (tree.vertices[i].depth == tree.depth) pods_[i] = tree.vertices[i].room;
    count_up();
  }

  Taken run() {
    if (request_.algorithm == KueueRequest::Algorithm::balanced && !request_.required)
      if (Taken balanced = run_balanced()) return balanced;
    const int slices = slices_wanted();
    std::vector<int> chosen;
    for (int depth = request_.level; chosen.empty(); --depth) {
      const std::vector<int> domains = sorted(level(depth));
      if (const int one = tightest(domains, slices); one >= 0) {
        chosen = {one};
        given_[one] = slices;
      } else if (request_.required) {
        return std::nullopt;
      } else if (depth == 1) {
        if (!share_out(domains, slices, chosen)) return std::nullopt;
      }
      if (!chosen.empty()) return descend(chosen, depth);
    }
    return std::nullopt;
  }

 private:
  int slices_wanted() const { return request_.count / request_.slice; }
  const RoomTree::Vertex& vertex(int v) const { return tree_.vertices[at(v)]; }

  /// Pods and whole slices that fit into each domain. Below the level of slices a slice is a pod.
  void count_up() {
    for (std::size_t i = tree_.vertices.size(); i-- > 0;) {
      const RoomTree::Vertex& one = tree_.vertices[i];
      int children = 0;
      if (!one.children.empty()) pods_[i] = 0;
      for (const int child : one.children) {
        pods_[i] += pods_[at(child)];
        children += slices_[at(child)];
      }
      slices_[i] = one.depth > slice_depth_    ? pods_[i]
                   : one.depth == slice_depth_ ? pods_[i] / request_.slice
                                               : children;
    }
  }

  std::vector<int> level(int depth) const {
    std::vector<int> all;
    for (int v = 0; v < static_cast<int>(tree_.vertices.size()); ++v)
      if (vertex(v).depth == depth) all.push_back(v);
    return all;
  }

  std::vector<int> below(const std::vector<int>& domains) const {
    std::vector<int> all;
    for (const int domain : domains)
      all.insert(all.end(), vertex(domain).children.begin(), vertex(domain).children.end());
    return all;
  }

  /// Most slices first (least, for LeastFree), then fewest pods, then the order of names.
  std::vector<int> sorted(std::vector<int> domains) const {
    const bool least = request_.algorithm == KueueRequest::Algorithm::least_free;
    std::sort(domains.begin(), domains.end(), [&](int a, int b) {
      if (slices_[at(a)] != slices_[at(b)])
        return least ? slices_[at(a)] < slices_[at(b)] : slices_[at(a)] > slices_[at(b)];
      return pods_[at(a)] != pods_[at(b)] ? pods_[at(a)] < pods_[at(b)] : a < b;
    });
    return domains;
  }

  /// Of sorted domains the first with least room that suffices; -1: none.
  int tightest(const std::vector<int>& domains, int slices) const {
    int best = -1;
    for (const int domain : domains)
      if (slices_[at(domain)] >= slices && (best < 0 || slices_[at(domain)] < slices_[at(best)]))
        best = domain;
    return best;
  }

  /// Gives slices to sorted domains, each as many as it takes; with BestFit the last ones to the
  /// tightest domain that takes them. Adds those that got any to `chosen`.
  bool share_out(std::vector<int> domains, int slices, std::vector<int>& chosen) {
    const bool least = request_.algorithm == KueueRequest::Algorithm::least_free;
    while (slices > 0 && !domains.empty()) {
      int domain = domains.front();
      if (const int last = tightest(domains, slices); !least && last >= 0) domain = last;
      const int here = std::min(slices, slices_[at(domain)]);
      domains.erase(std::find(domains.begin(), domains.end(), domain));
      if (here == 0) continue;
      given_[domain] = here;
      chosen.push_back(domain);
      slices -= here;
    }
    return slices == 0;
  }

  Taken descend(std::vector<int> chosen, int depth) {
    for (; depth < tree_.depth; ++depth) {
      std::vector<int> next;
      if (depth < slice_depth_) {
        int slices = 0;
        for (const int domain : chosen) slices += given_[domain];
        if (!share_out(sorted(below(chosen)), slices, next)) return std::nullopt;
      } else {
        for (const int domain : chosen) {
          const int pods = given_[domain] * (depth == slice_depth_ ? request_.slice : 1);
          if (!share_out(sorted(below({domain})), pods, next)) return std::nullopt;
        }
      }
      chosen = std::move(next);
    }
    std::vector<int> taken;
    const std::vector<int> leaves = tree_.leaves();
    for (const int leaf : leaves) {
      const bool has = std::find(chosen.begin(), chosen.end(), leaf) != chosen.end();
      taken.push_back(has ? given_[leaf] * (slice_depth_ == tree_.depth ? request_.slice : 1) : 0);
    }
    return taken;
  }

  // Balanced placement ----------------------------------------------------------------------------

  struct Greedy {
    int domains = 0;  // 0: does not fit
    int last = -1;
  };

  Greedy greedy(const std::vector<int>& domains, int slices) const {
    Greedy found;
    for (const int domain : sorted(domains)) {
      if (slices <= 0 || slices_[at(domain)] == 0) break;
      ++found.domains;
      found.last = domain;
      slices -= slices_[at(domain)];
    }
    return slices <= 0 ? found : Greedy{};
  }

  /// The largest least share that some siblings of the level can give, then their placement;
  /// nothing where no siblings have room.
  Taken run_balanced() {
    const std::vector<int> pods = pods_;
    const int slices = slices_wanted();
    int best_share = 0;
    int best_domains = 0;
    std::vector<int> best;
    std::vector<int> best_pods;
    for (const int parent : level(request_.level - 1)) {
      const std::vector<int>& siblings = vertex(parent).children;
      const std::vector<int> parts = request_.level < slice_depth_ ? below(siblings) : siblings;
      const Greedy fit = greedy(parts, slices);
      if (fit.domains == 0) continue;
      const int share = std::min(slices / fit.domains, slices_[at(fit.last)]);
      if (share < best_share || share == 0) continue;
      for (const int part : parts)
        if (slices_[at(part)] < share) clear(part);
      count_up();
      const Greedy after = greedy(siblings, slices);
      if (after.domains > 0 && (share > best_share || after.domains < best_domains)) {
        best_share = share;
        best_domains = after.domains;
        best = siblings;
        best_pods = pods_;
      }
      pods_ = pods;
      count_up();
    }
    if (best.empty()) return std::nullopt;
    pods_ = best_pods;
    count_up();
    int depth = request_.level;
    if (depth < slice_depth_) {
      best = fewest(best, slices, true);
      best = below(best);
      ++depth;
    }
    best = sorted(fewest(best, slices, false));
    int extra = slices - static_cast<int>(best.size()) * best_share;
    if (best.empty() || extra < 0) return std::nullopt;
    for (const int domain : best) {
      const int more = std::min(extra, slices_[at(domain)] - best_share);
      given_[domain] = best_share + more;
      extra -= more;
    }
    if (extra > 0) return std::nullopt;
    return descend(best, depth);
  }

  void clear(int domain) {
    pods_[at(domain)] = 0;
    for (const int child : vertex(domain).children) clear(child);
  }

  double entropy(const std::vector<int>& domains) const {
    double all = 0;
    for (const int domain : domains) all += pods_[at(domain)];
    double sum = 0;
    for (const int domain : domains)
      if (pods_[at(domain)] > 0)
        sum -= pods_[at(domain)] / all * std::log2(pods_[at(domain)] / all);
    return sum;
  }

  /// The fewest domains with room for all, of such sets the one with least room. `even`: of equal
  /// ones those whose children are filled alike.
  std::vector<int> fewest(std::vector<int> domains, int slices, bool even) const {
    const int count = greedy(domains, slices).domains;
    std::sort(domains.begin(), domains.end(), [&](int a, int b) {
      if (!even) return a < b;
      if (slices_[at(a)] != slices_[at(b)]) return slices_[at(a)] > slices_[at(b)];
      const double left = entropy(vertex(a).children);
      const double right = entropy(vertex(b).children);
      return left != right ? left > right : a < b;
    });
    // sets[i][left]: i domains that leave so many pods to place; the first found stays.
    std::vector<std::map<int, std::vector<int>>> sets(at(count) + 1);
    sets[0][slices * request_.slice] = {};
    for (const int domain : domains) {
      if (slices_[at(domain)] == 0) continue;
      for (int i = count; i > 0; --i)
        for (const auto& [left, set] : sets[at(i) - 1]) {
          if (left <= 0) continue;
          std::vector<int> with = set;
          with.push_back(domain);
          sets[at(i)].try_emplace(left - pods_[at(domain)], std::move(with));
        }
    }
    for (auto set = sets[at(count)].rbegin(); set != sets[at(count)].rend(); ++set)
      if (set->first <= 0) return set->second;
    return {};
  }

  const RoomTree& tree_;
  const KueueRequest& request_;
  int slice_depth_;
  std::vector<int> pods_;    // by vertex
  std::vector<int> slices_;  // by vertex
  std::map<int, int> given_;
};

}  // namespace

Taken kueue(const RoomTree& tree, const KueueRequest& request) {
  return Kueue(tree, request).run();
}

}  // namespace sim::place
