#include "sim/link_courses.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <numeric>
#include <tuple>
#include <utility>

#include "base/check.hpp"
#include "sim/engine/fabric.hpp"
#include "sim/engine/script.hpp"
#include "sim/engine/traffic.hpp"
#include "sim/piece_times.hpp"

namespace sim {

namespace {

std::size_t at(int i) { return static_cast<std::size_t>(i); }

/// Bytes by interval.
using Course = std::vector<float>;

class CourseWriter {
 public:
  CourseWriter(const StepGraph& graph, const Timeline& timeline, const engine::Script& script,
               const engine::Traffic& traffic, int intervals)
      : graph_(graph),
        timeline_(timeline),
        script_(script),
        traffic_(traffic),
        intervals_(intervals),
        of_link_(traffic.links()) {}

  /// By link of the fabric: cables, then bundles. Empty: nothing crosses it.
  std::vector<Course> write() && {
    for (std::size_t pattern = 0; pattern < traffic_.patterns().size(); ++pattern)
      add_pattern(static_cast<int>(pattern));
    for (int rank = 0; rank < graph_.grid.size(); ++rank) add_messages(rank);
    return std::move(of_link_);
  }

 private:
  std::uint32_t first_span(int rank) const { return timeline_.first_span[at(rank)]; }

  void spread(Course& course, double begin, double end, double amount) const {
    const double width = timeline_.step.s() / intervals_;
    const auto interval = [&](double time) {
      return std::clamp(static_cast<int>(time / width), 0, intervals_ - 1);
    };
    const int first = interval(begin);
    const int last = interval(end);
    if (first == last || end <= begin) {
      course[at(first)] += static_cast<float>(amount);
      return;
    }
    for (int i = first; i <= last; ++i) {
      const double inside = std::min(end, (i + 1) * width) - std::max(begin, i * width);
      course[at(i)] += static_cast<float>(amount * std::max(0.0, inside) / (end - begin));
    }
  }

  void add(const engine::Traffic::Flow& flow, const Course& course) {
    traffic_.each_carrier(flow.path, [&](std::uint32_t link) {
      Course& sum = of_link_[link];
      if (sum.empty()) sum.assign(at(intervals_), 0);
      for (std::size_t i = 0; i < sum.size(); ++i)
        sum[i] += static_cast<float>(flow.bytes) * course[i];
    });
  }

  void add_pattern(int pattern) {
    const engine::Script::Communicators& all =
        script_.communicators()[at(traffic_.patterns()[at(pattern)].communicators)];
    std::map<std::pair<std::uint32_t, std::uint16_t>, Course> known;  // by first span and program
    for (std::uint32_t group = 0; group < all.groups(); ++group) {
      const std::span<const engine::Traffic::Flow> flows = traffic_.flows_of(pattern, group);
      if (flows.empty()) continue;
      const int member = all.members_of(group).front();
      const auto [entry, fresh] =
          known.try_emplace({first_span(member), script_.program_of(member)});
      if (fresh) entry->second = times_of(pattern, group, member);
      for (const engine::Traffic::Flow& flow : flows) add(flow, entry->second);
    }
  }

  /// How often a pattern's example runs in each interval, in a group.
  Course times_of(int pattern, std::uint32_t group, int member) const {
    Course times(at(intervals_), 0);
    const auto run = [&](std::uint32_t use, double begin, double end) {
      if (script_.of_collective(use) != traffic_.patterns()[at(pattern)].communicators ||
          traffic_.pattern_of(use, group) != pattern)
        return;
      const double latency = script_.cost(use, group).latency.s();
      spread(times, std::min(begin + latency, end), end, traffic_.scale(use, pattern));
    };
    const std::vector<Task>& tasks = script_.program(member).tasks;
    for (std::uint32_t i = 0; i < tasks.size(); ++i) {
      const Span& span = timeline_.span(member, i);
      if (tasks[i].kind == TaskKind::collective) run(tasks[i].index, span.begin, span.end);
      if (tasks[i].kind != TaskKind::run) continue;
      const Segment& segment = graph_.segments[tasks[i].index];
      const std::vector<double> lengths =
          piece_lengths(graph_, segment, member, span.end - span.begin);
      double begin = span.begin;
      for (std::size_t p = 0; p < lengths.size(); ++p) {
        if (segment.pieces[p].collective >= 0)
          run(static_cast<std::uint32_t>(segment.pieces[p].collective), begin, begin + lengths[p]);
        begin += lengths[p];
      }
    }
    return times;
  }

  void add_messages(int rank) {
    const std::vector<Task>& tasks = script_.program(rank).tasks;
    for (const std::uint32_t index : script_.messages_sent(rank)) {
      const Message& message = graph_.messages[index];
      const int peer = graph_.grid.moved(rank, strategies::Axis::pipeline, message.peer_stage);
      const auto flows = traffic_.message_flows(rank, peer);
      if (flows.empty()) continue;
      const auto [entry, fresh] =
          messages_.try_emplace({first_span(rank), script_.program_of(rank), index});
      if (fresh) {
        entry->second.assign(at(intervals_), 0);
        for (std::uint32_t i = 0; i < tasks.size(); ++i)
          if (tasks[i].kind == TaskKind::send && tasks[i].index == index)
            spread(entry->second, timeline_.span(rank, i).begin, timeline_.span(rank, i).end,
                   message.bytes.as_double());
      }
      for (const engine::Traffic::Flow& flow : flows) add(flow, entry->second);
    }
  }

  const StepGraph& graph_;
  const Timeline& timeline_;
  const engine::Script& script_;
  const engine::Traffic& traffic_;
  int intervals_;
  std::vector<Course> of_link_;
  std::map<std::tuple<std::uint32_t, std::uint16_t, std::uint32_t>, Course> messages_;
};

/// A bundle's cables carry alike, each as its rate allows.
void spread_bundles(const engine::Fabric& fabric, std::vector<Course>& courses) {
  fabric.each_bundled_link([&](std::size_t bundle, topology::LinkId link, double rate) {
    const Course& all = courses[bundle];
    if (all.empty()) return;
    Course& cable = courses[link];
    if (cable.empty()) cable.assign(all.size(), 0);
    const auto share = static_cast<float>(fabric.link_rate[link] / rate);
    for (std::size_t i = 0; i < all.size(); ++i) cable[i] += share * all[i];
  });
  courses.resize(fabric.link_rate.size());
}

std::uint16_t thousandths(double share) {
  return static_cast<std::uint16_t>(
      std::clamp(std::lround(share * 1000), 0L, long{std::numeric_limits<std::uint16_t>::max()}));
}

}  // namespace

LinkCourses link_courses(const StepGraph& graph, const Timeline& timeline,
                         const topology::Cluster& cluster,
                         const std::vector<topology::GpuId>& gpu_of_rank,
                         const EngineOptions& options, int intervals, std::size_t courses_max) {
  CHECK_INVARIANT(options.fidelity != Fidelity::analytic && intervals > 0);
  const engine::Fabric fabric = engine::fabric_of(cluster, options.routing);
  const engine::Script script(graph);
  engine::Traffic traffic(graph, script, fabric, gpu_of_rank, options.fidelity == Fidelity::flow);
  traffic.bind(traffic.demand(), false);
  std::vector<Course> courses = CourseWriter(graph, timeline, script, traffic, intervals).write();
  spread_bundles(fabric, courses);

  std::vector<topology::LinkId> order(courses.size());
  std::iota(order.begin(), order.end(), topology::LinkId{0});
  std::vector<double> use;
  for (topology::LinkId link = 0; link < courses.size(); ++link)
    use.push_back(std::accumulate(courses[link].begin(), courses[link].end(), 0.0) /
                  fabric.link_rate[link]);
  std::stable_sort(order.begin(), order.end(),
                   [&](topology::LinkId a, topology::LinkId b) { return use[a] > use[b]; });
  LinkCourses found{intervals, {}, std::vector<int>(courses.size(), -1)};
  std::map<std::vector<std::uint16_t>, int> numbers;
  for (const topology::LinkId link : order) {
    if (use[link] <= 0) break;
    std::vector<std::uint16_t> shares;
    for (const float bytes : courses[link])
      shares.push_back(
          thousandths(double{bytes} * intervals / (fabric.link_rate[link] * timeline.step.s())));
    const auto known = numbers.find(shares);
    if (known == numbers.end() && numbers.size() >= courses_max) {
      found.complete = false;
      continue;
    }
    const auto number =
        numbers.try_emplace(std::move(shares), static_cast<int>(found.distinct.size())).first;
    if (number->second == static_cast<int>(found.distinct.size()))
      found.distinct.push_back(number->first);
    found.of_link[link] = number->second;
  }
  return found;
}

}  // namespace sim
