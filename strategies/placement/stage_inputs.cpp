#include "strategies/placement/stage_inputs.hpp"

#include <fmt/format.h>

#include <iterator>
#include <set>

namespace strategies::placement {

base::Result<std::vector<int>> route_stage_inputs(
    const std::vector<std::optional<StageOutput>>& arguments, int received, int local,
    const base::SourceRef& where) {
  std::set<StageOutput> arriving;
  int locals = 0;
  for (const std::optional<StageOutput>& argument : arguments) {
    if (argument)
      arriving.insert(*argument);
    else
      ++locals;
  }
  if (static_cast<int>(arriving.size()) != received || locals != local)
    return tl::unexpected(base::Diagnostics{
        {where,
         fmt::format("the arguments take {} received and {} local tensors, there are {} and {}",
                     arriving.size(), locals, received, local),
         "every tensor sent to a stage is an argument of it"}});
  std::vector<int> route;
  int next_local = received;
  for (const std::optional<StageOutput>& argument : arguments)
    route.push_back(
        argument ? static_cast<int>(std::distance(arriving.begin(), arriving.find(*argument)))
                 : next_local++);
  return route;
}

}  // namespace strategies::placement
