#include "sim/engine/solver.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <simgrid/kernel/Timer.hpp>
#include <simgrid/kernel/routing/NetPoint.hpp>
#include <simgrid/kernel/routing/StarZone.hpp>
#include <simgrid/s4u.hpp>
#include <string>
#include <unordered_map>

#include "base/check.hpp"

/// How SimGrid 3.32 is used, and why.
/// - No actors and no mailboxes: transfers are started by the simulation loop itself (from a timer
///   or a completion), which costs 2 us each where an actor's send costs 9.
/// - SimGrid keeps such transfers in a list that it searches whole when one ends: two fifths of the
///   time of a step of 16,384 ranks none of which are alike. No public call avoids it.
/// - All transfers go from one host to another, and the zone hands out the links of the transfer
///   that is being started.
/// - `Comm::set_rate` is ignored on host-to-host transfers in this version; a transfer is capped by
///   a link of its own at the end of its route instead, taken from a pool.
/// - A latency that is positive but multiplied by 0 (`network/latency-factor`): SimGrid drops
///   transfers without latency, and shares in inverse proportion to it. Latencies are ours.
/// - `network/TCP-gamma` caps by window over latency; the cap is put out of reach.
namespace sim::engine {

namespace {

namespace s4u = simgrid::s4u;
using simgrid::kernel::resource::StandardLinkImpl;

/// SimGrid counts whole bytes; it is given parts of a byte, so that what is left of a transfer when
/// it begins to share is not rounded.
constexpr double parts_of_byte = 1024;

class OpenZone final : public simgrid::kernel::routing::StarZone {
 public:
  explicit OpenZone(const std::string& name) : StarZone(name) {}

  void get_local_route(const simgrid::kernel::routing::NetPoint* /*from*/,
                       const simgrid::kernel::routing::NetPoint* /*to*/,
                       simgrid::kernel::routing::Route* route, double* latency) override {
    route->link_list_ = next_route;
    *latency += 1;
  }

  std::vector<StandardLinkImpl*> next_route;
};

/// Starts SimGrid with our settings; must come before any zone is made.
std::unique_ptr<s4u::Engine> start_engine() {
  std::vector<std::string> arguments{"foreshard",
                                     "--log=root.thresh:error",
                                     "--cfg=network/model:CM02",
                                     "--cfg=network/crosstraffic:0",
                                     "--cfg=network/TCP-gamma:1e300",
                                     "--cfg=network/latency-factor:0",
                                     "--cfg=surf/precision:1e-12",
                                     "--cfg=maxmin/precision:1e-9"};
  std::vector<char*> argv;
  for (std::string& argument : arguments) argv.push_back(argument.data());
  int argc = static_cast<int>(argv.size());
  argv.push_back(nullptr);
  return std::make_unique<s4u::Engine>(&argc, argv.data());
}

}  // namespace

struct Solver::Impl {
  struct Running {
    s4u::CommPtr comm;
    s4u::Link* cap = nullptr;
  };

  explicit Impl(const std::vector<double>& rates)
      : engine(start_engine()), link_rate(rates), link(rates.size(), nullptr) {
    root = new OpenZone("fabric");  // owned by the engine
    from = root->get_iface()->create_host("from", 1e9);
    to = root->get_iface()->create_host("to", 1e9);
    root->get_iface()->seal();
    // The first run seals the zones under the root; links are made later, when they are first
    // contended, in a zone of their own.
    links = new simgrid::kernel::routing::StarZone("links");
    links->set_network_model(root->get_network_model());
  }

  s4u::Link* make_link(const std::string& name, double rate) {
    s4u::Link* made = links->get_iface()->create_link(name, rate * parts_of_byte);
    made->set_latency(0);
    made->seal();
    return made;
  }

  StandardLinkImpl* link_of(std::uint32_t id) {
    if (link[id] == nullptr) link[id] = make_link(std::to_string(id), link_rate[id])->get_impl();
    return link[id];
  }

  s4u::Link* take_cap(double rate) {
    if (free_caps.empty()) return make_link("cap-" + std::to_string(caps++), rate);
    s4u::Link* cap = free_caps.back();
    free_caps.pop_back();
    cap->set_bandwidth(rate * parts_of_byte);
    return cap;
  }

  std::unique_ptr<s4u::Engine> engine;
  std::vector<double> link_rate;
  std::vector<StandardLinkImpl*> link;
  OpenZone* root = nullptr;
  simgrid::kernel::routing::StarZone* links = nullptr;
  s4u::Host* from = nullptr;
  s4u::Host* to = nullptr;
  std::vector<s4u::Link*> free_caps;
  std::size_t caps = 0;
  std::unordered_map<const s4u::Activity*, std::uint32_t> id_of;
  std::vector<Running> running;           // by id
  std::vector<s4u::CommPtr> ended_comms;  // kept until SimGrid has let go of them
  std::unordered_map<const s4u::Activity*, s4u::CommPtr> stopped_comms;
  Callbacks callbacks;
};

Solver::Solver(const std::vector<double>& link_rate) : impl_(std::make_unique<Impl>(link_rate)) {}

/// SimGrid's own shutdown takes longer than a small simulation; the process ends instead.
Solver::~Solver() { static_cast<void>(impl_.release()); }

void Solver::start(std::uint32_t id, std::span<const std::uint32_t> links, double bytes,
                   double rate) {
  CHECK_INVARIANT(rate > 0 && !links.empty());
  const double parts = std::max(1.0, std::ceil(bytes * parts_of_byte));
  if (!(parts < 0x1p64))
    throw base::EnvironmentError(
        fmt::format("a transfer of {:.3g} bytes is more than the simulation can count", bytes));
  Impl& impl = *impl_;
  std::vector<StandardLinkImpl*>& route = impl.root->next_route;
  route.clear();
  for (const std::uint32_t link : links) route.push_back(impl.link_of(link));
  s4u::Link* cap = impl.take_cap(rate);
  route.push_back(cap->get_impl());
  s4u::CommPtr comm = s4u::Comm::sendto_init(impl.from, impl.to);
  comm->set_payload_size(static_cast<std::uint64_t>(parts));
  comm->start();
  impl.id_of.emplace(comm.get(), id);
  if (impl.running.size() <= id) impl.running.resize(id + 1);
  impl.running[id] = {std::move(comm), cap};
}

double Solver::stop(std::uint32_t id) {
  Impl& impl = *impl_;
  Impl::Running& stopped = impl.running[id];
  const double left = stopped.comm->get_remaining() / parts_of_byte;
  impl.id_of.erase(stopped.comm.get());
  stopped.comm->cancel();
  impl.free_caps.push_back(stopped.cap);
  const s4u::Activity* const key = stopped.comm.get();
  impl.stopped_comms.emplace(key, std::move(stopped.comm));
  return left;
}

std::size_t Solver::active() const { return impl_->id_of.size(); }

void Solver::wake_at(double date) {
  simgrid::kernel::timer::Timer::set(date, [impl = impl_.get()] {
    impl->ended_comms.clear();
    impl->callbacks.woken(s4u::Engine::get_clock());
  });
}

void Solver::run(Callbacks callbacks) {
  Impl& impl = *impl_;
  impl.callbacks = std::move(callbacks);
  s4u::Activity::on_completion_cb([&impl](const s4u::Activity& activity) {
    const auto found = impl.id_of.find(&activity);
    if (found == impl.id_of.end()) {
      // A stopped one is announced twice: while it is stopped, and when SimGrid takes note of it.
      const auto stopped = impl.stopped_comms.find(&activity);
      if (stopped == impl.stopped_comms.end()) return;
      impl.ended_comms.push_back(std::move(stopped->second));
      impl.stopped_comms.erase(stopped);
      return;
    }
    const std::uint32_t id = found->second;
    impl.id_of.erase(found);
    Impl::Running& ended = impl.running[id];
    impl.free_caps.push_back(ended.cap);
    impl.ended_comms.push_back(std::move(ended.comm));
    impl.callbacks.ended(id, s4u::Engine::get_clock());
  });
  impl.engine->run();
}

}  // namespace sim::engine
