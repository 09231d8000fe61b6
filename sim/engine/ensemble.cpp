#include "sim/engine/ensemble.hpp"

#include <algorithm>
#include <memory>

#include "base/check.hpp"
#include "sim/engine/child.hpp"
#include "sim/engine/parts.hpp"

namespace sim::engine {

namespace {

/// What the child tells of a job, in shared memory.
struct Totals {
  std::uint64_t steps = 0;  ///< that ended
  double first = 0;         ///< seconds that the first took
  double later = 0;         ///< … and all others together
  double shortest = 0;      ///< of those that count
  double longest = 0;
  double begin = 0;  ///< of the step whose spans are kept
  double end = 0;
  std::uint64_t activities = 0;
  std::uint64_t transfers = 0;
  std::uint64_t shared_transfers = 0;
};

/// Where the child writes and the parent reads.
class Results {
 public:
  Results(Parts& parts, std::size_t jobs)
      : totals_(jobs * sizeof(Totals)),
        spans_(tasks_of(parts) * sizeof(Span)),
        uses_(parts.link_rate().size() * sizeof(Network::LinkUse)),
        met_(parts.met().size() * (jobs + 1) * sizeof(double)),
        jobs_(jobs) {}

  Totals& totals(std::size_t job) { return reinterpret_cast<Totals*>(totals_.data())[job]; }
  Span* spans() { return reinterpret_cast<Span*>(spans_.data()); }
  Network::LinkUse* uses() { return reinterpret_cast<Network::LinkUse*>(uses_.data()); }
  /// Of a link on which jobs met: seconds together, then seconds of each job.
  double* met(std::size_t index) {
    return reinterpret_cast<double*>(met_.data()) + index * (jobs_ + 1);
  }

 private:
  static std::size_t tasks_of(Parts& parts) {
    std::size_t tasks = 0;
    for (const Part& part : parts.all()) tasks += part.tasks;
    return tasks;
  }

  SharedMemory totals_;
  SharedMemory spans_;
  SharedMemory uses_;
  SharedMemory met_;
  std::size_t jobs_;
};

/// Plays all jobs until each has ended `steps` steps.
class Stage {
 public:
  Stage(Parts& parts, Results& results, const PlayOptions& options, std::uint64_t steps)
      : parts_(parts),
        results_(results),
        steps_(steps),
        network_(parts.link_rate(), options.everything_shared),
        share_(parts.all().size(), 0),
        later_spans_(parts.all().size()) {
    Span* spans = results.spans();
    for (std::size_t job = 0; job < parts.all().size(); ++job) {
      Part& part = parts.all()[job];
      PlayOptions of_job = options;
      of_job.over = [this, job] {
        if (ended(job)) begin(job);
      };
      of_job.progress = [this, job, report = options.progress](double share) {
        const auto done = static_cast<double>(results_.totals(job).steps);
        share_[job] = std::min(1.0, (done + share) / static_cast<double>(steps_));
        report(*std::min_element(share_.begin(), share_.end()));
      };
      players_.push_back(std::make_unique<Player>(part.graph, part.script, part.traffic, part.cast,
                                                  of_job, std::span(spans, part.tasks), network_));
      spans += part.tasks;
    }
    for (const std::uint32_t link : parts.met()) network_.watch(common_link(link));
  }

  void play() {
    for (std::size_t job = 0; job < players_.size(); ++job) begin(job);
    network_.run();
    for (std::size_t job = 0; job < players_.size(); ++job) {
      Totals& totals = results_.totals(job);
      // A step that stops short has programs that wait for each other in a circle.
      CHECK_INVARIANT(totals.steps >= steps_);
      const Network::Counts& transfers = players_[job]->transfers();
      const Outcome& outcome = players_[job]->outcome();
      totals.activities = outcome.durations + outcome.calm + transfers.transfers;
      totals.transfers = transfers.transfers;
      totals.shared_transfers = transfers.shared_transfers;
    }
    for (std::size_t link = 0; link < parts_.link_rate().size(); ++link)
      results_.uses()[link] = network_.use_of(link);
    for (std::size_t i = 0; i < parts_.met().size(); ++i) {
      const Network::Encounter& met = network_.encounter_on(common_link(parts_.met()[i]));
      *results_.met(i) = met.together;
      std::copy(met.active.begin(), met.active.end(), results_.met(i) + 1);
    }
  }

 private:
  std::uint32_t common_link(std::uint32_t link) {
    const auto user = std::find_if(parts_.all().begin(), parts_.all().end(),
                                   [&](const Part& part) { return part.demand[link] > 0; });
    return Parts::network_link(*user, link);
  }

  void begin(std::size_t job) {
    do players_[job]->begin_step();
    while (players_[job]->over() && ended(job));
  }

  /// Books a step. \returns whether the job goes on with the next.
  bool ended(std::size_t job) {
    Totals& totals = results_.totals(job);
    const Outcome& outcome = players_[job]->outcome();
    const double took = outcome.end - outcome.begin;
    (totals.steps == 0 ? totals.first : totals.later) += took;
    if (totals.steps == 1 || took < totals.shortest) totals.shortest = took;
    if (totals.steps <= 1 || took > totals.longest) totals.longest = took;
    if (++totals.steps == steps_) {
      totals.begin = outcome.begin;
      totals.end = outcome.end;
      ++through_;
      if (through_ < players_.size()) {
        later_spans_[job].resize(parts_.all()[job].tasks);
        players_[job]->write_to(later_spans_[job]);
      }
    }
    if (took <= 0 && totals.steps < steps_) return true;
    if (through_ < players_.size()) return took > 0;
    if (players_.size() > 1) network_.stop();
    return false;
  }

  Parts& parts_;
  Results& results_;
  std::uint64_t steps_;
  Network network_;
  std::vector<std::unique_ptr<Player>> players_;
  std::vector<double> share_;                   // of its steps that a job has done
  std::vector<std::vector<Span>> later_spans_;  // of steps that nobody asks for
  std::size_t through_ = 0;                     // jobs that have played enough
};

/// Gives each cable what its class of links, or a bundle that it belongs to, has come to; `share`:
/// of the time that was played, a step.
void spread_uses(const Fabric& fabric, const Cast& cast, const Network::LinkUse* uses, double share,
                 Timeline& timeline) {
  const std::size_t links = fabric.link_rate.size();
  timeline.link_busy_s.assign(links, 0);
  timeline.link_lost_s.assign(links, 0);
  const auto add = [&](std::size_t cable, std::size_t link) {
    const std::uint32_t of_class = cast.link_class[link];
    if (of_class == no_class) return;
    const Network::LinkUse& use = uses[cast.network_link[of_class]];
    timeline.link_busy_s[cable] = std::max(timeline.link_busy_s[cable], use.busy * share);
    timeline.link_lost_s[cable] = std::max(timeline.link_lost_s[cable], use.lost * share);
  };
  for (std::size_t link = 0; link < links; ++link) add(link, link);
  if (!fabric.bundles) return;
  std::size_t number = links;
  for (const topology::Bundle& bundle : fabric.bundles()) {
    for (const topology::LinkId cable : bundle.links) add(cable, number);
    ++number;
  }
}

Timeline timeline_of(const Part& part, const Totals& totals, const Span* spans,
                     const Network::LinkUse* uses, double played, const Fabric& fabric) {
  Timeline timeline;
  const double step = totals.end - totals.begin;
  timeline.step = base::Seconds::from_s(step);
  for (const std::uint32_t actor : part.cast.actor_of_rank)
    timeline.first_span.push_back(part.first_span[actor]);
  timeline.first_span.push_back(static_cast<std::uint32_t>(part.tasks));
  timeline.spans.assign(spans, spans + part.tasks);
  for (Span& span : timeline.spans) {
    span.ready -= totals.begin;
    span.begin -= totals.begin;
    span.end -= totals.begin;
  }
  timeline.link_bytes = part.traffic.link_bytes();
  spread_uses(fabric, part.cast, uses, played > 0 ? step / played : 1, timeline);
  timeline.private_bytes = part.traffic.private_bytes();
  timeline.actors = static_cast<int>(part.cast.actors());
  timeline.activities = totals.activities;
  timeline.transfers = totals.transfers;
  timeline.shared_transfers = totals.shared_transfers;
  return timeline;
}

PlayedJob job_of(const Totals& totals) {
  PlayedJob job;
  const bool one = totals.steps == 1;
  job.steps = static_cast<int>(totals.steps);
  job.first = base::Seconds::from_s(totals.first);
  job.step = base::Seconds::from_s(one ? totals.first
                                       : totals.later / static_cast<double>(totals.steps - 1));
  job.shortest = base::Seconds::from_s(totals.shortest);
  job.longest = base::Seconds::from_s(totals.longest);
  return job;
}

/// The cables on which jobs met, a bundle's under each of its cables.
std::vector<MetLink> met_links(Parts& parts, Results& results, const Fabric& fabric,
                               const std::vector<PlayedJob>& jobs, double played) {
  const std::size_t links = fabric.link_rate.size();
  std::vector<MetLink> met;
  for (std::size_t i = 0; i < parts.met().size(); ++i) {
    const std::uint32_t link = parts.met()[i];
    MetLink found;
    const double* const seconds = results.met(i);
    found.together = seconds[0] / played;
    for (std::size_t job = 0; job < jobs.size(); ++job)
      found.active.push_back(seconds[job + 1] / played);
    const auto user = std::find_if(parts.all().begin(), parts.all().end(),
                                   [&](const Part& part) { return part.demand[link] > 0; });
    found.busy = results.uses()[Parts::network_link(*user, link)].busy / played;
    const auto add = [&](topology::LinkId cable) {
      found.link = cable;
      found.bytes.clear();
      for (const PlayedJob& job : jobs) found.bytes.push_back(job.timeline.link_bytes[cable]);
      met.push_back(found);
    };
    if (link < links)
      add(link);
    else
      for (const topology::LinkId cable : fabric.bundles()[link - links].links) add(cable);
  }
  return met;
}

}  // namespace

Ensemble play_in_child(std::span<const PlacedStep> jobs, const Fabric& fabric,
                       const PlayOptions& options, int steps) {
  CHECK_INVARIANT(!jobs.empty() && steps >= 1);
  Parts parts(jobs, fabric, options);
  Results results(parts, jobs.size());
  const auto play = [&](const std::function<void(double)>& report) {
    PlayOptions inner = options;
    inner.progress = report;
    Stage(parts, results, inner, static_cast<std::uint64_t>(steps)).play();
  };
  run_in_child(play, options.progress);

  Ensemble ensemble;
  double played = 0;
  for (std::size_t job = 0; job < jobs.size(); ++job)
    played = std::max(played, results.totals(job).end);
  const Span* spans = results.spans();
  for (std::size_t job = 0; job < jobs.size(); ++job) {
    const Part& part = parts.all()[job];
    ensemble.jobs.push_back(job_of(results.totals(job)));
    ensemble.jobs.back().timeline =
        timeline_of(part, results.totals(job), spans, results.uses(), played, fabric);
    spans += part.tasks;
  }
  ensemble.met = met_links(parts, results, fabric, ensemble.jobs, played);
  return ensemble;
}

Timeline play_in_child(const StepGraph& graph, const Fabric& fabric,
                       const std::vector<topology::GpuId>& gpu_of_rank,
                       const PlayOptions& options) {
  const PlacedStep job{graph, gpu_of_rank};
  return std::move(play_in_child({&job, 1}, fabric, options, 1).jobs.front().timeline);
}

}  // namespace sim::engine
