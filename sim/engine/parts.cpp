#include "sim/engine/parts.hpp"

#include <algorithm>

namespace sim::engine {

namespace {

/// Ranks are alike only if what others put on their links is: who meets another job plays whole.
void cast_actors(Part& part, bool fold_alike) {
  part.cast = fold_alike && !part.meets ? fold(part.graph, part.script, part.traffic)
                                        : everybody(part.graph, part.script, part.traffic);
  for (const int rank : part.cast.rank_of_actor) {
    part.first_span.push_back(static_cast<std::uint32_t>(part.tasks));
    part.tasks += part.script.program(rank).tasks.size();
  }
}

}  // namespace

Part::Part(const PlacedStep& job, const Fabric& fabric, bool inside_domains)
    : graph(job.graph),
      script(job.graph),
      traffic(job.graph, script, fabric, job.gpu_of_rank, inside_domains),
      demand(traffic.demand()) {}

Parts::Parts(std::span<const PlacedStep> jobs, const Fabric& fabric, const PlayOptions& options) {
  for (const PlacedStep& job : jobs)
    parts_.emplace_back(job, fabric, !options.private_as_durations);
  bind(options.everything_shared);
  for (Part& part : parts_) cast_actors(part, options.fold);
  number_links();
}

void Parts::bind(bool everything) {
  // Routes of a later job may have made bundles that an earlier one does not know of.
  const std::size_t links = parts_.back().demand.size();
  std::vector<double> demand(links, 0);
  std::vector<int> users(links, 0);
  for (Part& part : parts_) {
    part.demand.resize(links, 0);
    for (std::size_t link = 0; link < links; ++link) {
      demand[link] += part.demand[link];
      users[link] += part.demand[link] > 0 ? 1 : 0;
    }
  }
  for (Part& part : parts_) part.traffic.bind(demand, everything);
  for (std::uint32_t link = 0; link < links; ++link)
    if (users[link] > 1 && parts_.front().traffic.may_bind(link)) met_.push_back(link);
  for (Part& part : parts_)
    part.meets = std::any_of(met_.begin(), met_.end(),
                             [&](std::uint32_t link) { return part.demand[link] > 0; });
}

/// A link on which jobs meet is one link of the network; any other belongs to one job's classes.
void Parts::number_links() {
  std::vector<std::uint32_t> common(parts_.back().demand.size(), no_class);
  for (Part& part : parts_) {
    part.cast.network_link.assign(part.cast.link_rate.size(), no_class);
    for (std::uint32_t link = 0; link < common.size(); ++link) {
      const std::uint32_t of_class = part.cast.link_class[link];
      if (of_class == no_class || part.cast.network_link[of_class] != no_class) continue;
      std::uint32_t number = part.meets ? common[link] : no_class;
      if (number == no_class) {
        number = static_cast<std::uint32_t>(link_rate_.size());
        link_rate_.push_back(part.cast.link_rate[of_class]);
        if (part.meets) common[link] = number;
      }
      part.cast.network_link[of_class] = number;
    }
  }
}

}  // namespace sim::engine
