#include "strategies/dlcalc.hpp"

#include <fmt/format.h>

#include <array>
#include <cmath>
#include <limits>

#include "base/map_reader.hpp"
#include "strategies/model_check.hpp"

namespace strategies {

namespace {

using base::MapReader;
using base::Range;

constexpr Range<int> degree_range{1, 1'000'000};

/// dlcalc's checkpointing types; with its fused attention `selective` recomputes nothing there.
enum class Checkpointing { none, selective, super_selective, full };
constexpr std::array<std::pair<std::string_view, Checkpointing>, 4> checkpointing_names{{
    {"none", Checkpointing::none},
    {"selective", Checkpointing::selective},
    {"super-selective", Checkpointing::super_selective},
    {"full", Checkpointing::full},
}};

class DlcalcReader {
 public:
  explicit DlcalcReader(const base::Document& document)
      : root_(document, document.root, "", problems_), places_(root_.where()) {}

  base::Result<DlcalcInput> read() {
    if (auto model = root_.required_map("model")) read_model(*model);
    if (auto parallelism = root_.required_map("parallelism")) read_parallelism(*parallelism);
    if (auto performance = root_.required_map("performance")) read_performance(*performance);
    if (auto data = root_.required_map("data")) read_data(*data);
    if (auto hardware = root_.required_map("hardware")) {
      hardware->require("node_type", input_.node_type);
      input_.node_type_where = hardware->where("node_type");
      hardware->finish();
    }
    if (auto cross = root_.map("cross_dc")) read_cross_dc(*cross);
    root_.finish();
    check();
    if (base::has_errors(problems_)) return tl::unexpected(std::move(problems_));
    finish();
    return std::move(input_);
  }

 private:
  /// Remembers where the field at `path` (of our own scenarios) was written.
  void place(MapReader& map, std::string_view key, const std::string& path) {
    input_.origins.add(path, map.where(key));
    if (path.starts_with("model."))
      places_.add(path.substr(std::string_view("model.").size()), std::string(key), map.where(key));
  }

  template <class T>
  void require(MapReader& map, std::string_view key, T& out, Range<T> range,
               const std::string& path) {
    map.require(key, out, range);
    place(map, key, path);
  }

  void note(const MapReader& map, std::string_view key, std::string message, std::string hint = {},
            base::Severity severity = base::Severity::warning) {
    input_.notes.push_back({map.where(key), std::move(message), std::move(hint), severity});
  }

  void read_model(MapReader& map) {
    ModelSpec& model = input_.model;
    input_.origins.add("model", map.where());
    require(map, "n_layers", layers_, layer_range, "model.layers");
    require(map, "hidden_sz", model.hidden, width_range, "model.hidden");
    require(map, "inter_sz", model.ffn, width_range, "model.ffn");
    require(map, "n_q_heads", model.heads, head_range, "model.heads");
    require(map, "n_kv_heads", model.kv_heads, head_range, "model.kv_heads");
    require(map, "head_dim", model.head_dim, width_range, "model.head_dim");
    require(map, "vocab_sz", model.vocab, vocab_range, "model.vocab");
    bool rotary = true;
    bool dropout = false;
    map.require("glu", model.gated);
    map.require("rotary_embeds", rotary);
    map.require("dropout", dropout);
    map.require("tie_embeddings", model.tied_embeddings);
    model.activation = model.gated ? Activation::silu : Activation::gelu;
    model.position = rotary ? Position::rotary : Position::none;
    model.dropout = dropout ? 0.1 : 0;  // dlcalc knows only whether there are masks
    model.layers.resize(static_cast<std::size_t>(layers_));
    if (auto moe = map.map("moe")) read_mixture(*moe);
    map.finish();
  }

  void read_mixture(MapReader& map) {
    Mixture mixture;
    double share = 1;
    const Range<double> positive{std::numeric_limits<double>::min(), 1000.0};
    require(map, "n_experts", mixture.experts, expert_range, "model.mixture.experts");
    require(map, "experts_per_token", mixture.experts_per_token, expert_range,
            "model.mixture.experts_per_token");
    require(map, "expert_inter_sz", mixture.expert_ffn, width_range, "model.mixture.expert_ffn");
    map.require("capacity_factor", mixture.capacity_factor, positive);
    map.require("moe_frequency", share, Range<double>{0.0, 1.0});
    require(map, "expert_tp_degree", input_.plan.expert.tensor, degree_range,
            "plan.expert_tensor_parallel");
    map.finish();
    input_.model.mixture = mixture;
    spread_mixture(map, share);
  }

  /// dlcalc says which share of the layers are mixtures, not which ones: they are spread evenly.
  void spread_mixture(const MapReader& map, double share) {
    const double wanted = share * layers_;
    const auto count = static_cast<int>(std::lround(wanted));
    if (std::abs(wanted - count) > 0.05) {
      problems_.push_back(
          {map.where("moe_frequency"),
           fmt::format("'moe_frequency' {} of {} layers is {:.2f} layers", share, layers_, wanted),
           "it must be a whole number of layers"});
      return;
    }
    for (int i = 0; i < layers_; ++i)
      input_.model.layers[static_cast<std::size_t>(i)].mixture =
          static_cast<std::int64_t>(i + 1) * count / layers_ >
          static_cast<std::int64_t>(i) * count / layers_;
  }

  void read_parallelism(MapReader& map) {
    Plan& plan = input_.plan;
    input_.origins.add("plan", map.where());
    require(map, "tp", plan.tensor, degree_range, "plan.tensor_parallel");
    require(map, "pp", plan.pipeline, degree_range, "plan.pipeline_parallel");
    require(map, "dp", plan.data, degree_range, "plan.data_parallel");
    require(map, "vpp", plan.virtual_stages, degree_range, "plan.virtual_stages");
    require(map, "zero_level", plan.zero, Range<int>{0, 3}, "plan.zero");
    map.require("sp", plan.sequence_parallel);
    place(map, "sp", "plan.sequence_parallel");
    map.read("cp", plan.context.degree, degree_range);
    place(map, "cp", "plan.context_parallel");
    int of_dense_model = 1;  // dlcalc has no use for it
    if (input_.model.mixture)
      require(map, "ep", plan.expert.degree, degree_range, "plan.expert_parallel");
    else
      map.read("ep", of_dense_model, degree_range);
    require(map, "n_param_buckets", input_.gradient_buckets, degree_range, "plan.bucket");
    map.finish();
    // dlcalc writes sp: true where there is nothing to divide, too.
    plan.sequence_parallel = plan.sequence_parallel && plan.tensor > 1;
    plan.schedule = plan.virtual_stages > 1 ? ScheduleKind::interleaved : ScheduleKind::one_f_one_b;
    input_.origins.add("plan.schedule", map.where("vpp"));
  }

  void read_performance(MapReader& map) {
    Checkpointing type = Checkpointing::none;
    map.require_choice("activation_checkpointing_type", type, checkpointing_names);
    place(map, "activation_checkpointing_type", "plan.recompute");
    map.finish();
    Recompute& recompute = input_.plan.recompute;
    recompute = type == Checkpointing::full   ? Recompute::full
                : type == Checkpointing::none ? Recompute::none
                                              : Recompute::selective;
    if (type == Checkpointing::super_selective)
      note(map, "activation_checkpointing_type",
           "super-selective is taken as selective: only attention is recomputed",
           "norms, activations and their products are kept");
  }

  void read_data(MapReader& map) {
    Plan& plan = input_.plan;
    const Range<std::int64_t> batch{1, std::numeric_limits<int>::max()};
    require(map, "gbs", plan.global_batch, batch, "plan.global_batch");
    require(map, "seqlen", plan.sequence, Range<std::int64_t>{1, 100'000'000}, "plan.sequence");
    require(map, "microbatch_sz", plan.micro_batch, degree_range, "plan.micro_batch");
    map.finish();
    interleave_if_it_can();
  }

  /// dlcalc has a formula for the bubble of any vpp; a real schedule deadlocks unless the
  /// micro-batches come in whole groups of pp.
  void interleave_if_it_can() {
    Plan& plan = input_.plan;
    const std::int64_t unit = static_cast<std::int64_t>(plan.data) * plan.micro_batch;
    if (plan.virtual_stages == 1 || plan.pipeline < 1 || unit < 1) return;
    const std::int64_t micro_batches = plan.global_batch / unit;
    if (plan.pipeline > 1 && micro_batches % plan.pipeline == 0) return;
    input_.notes.push_back(
        {input_.origins.at("plan.virtual_stages"),
         fmt::format("{} micro-batches over pp {} cannot be interleaved; vpp {} is not used",
                     micro_batches, plan.pipeline, plan.virtual_stages),
         "the stages run 1F1B", base::Severity::warning});
    plan.virtual_stages = 1;
    plan.schedule = ScheduleKind::one_f_one_b;
  }

  void read_cross_dc(MapReader& map) {
    CrossDataCenter cross;
    double gbit = 0;
    double latency_s = 0;
    const Range<double> positive{std::numeric_limits<double>::min(), 1e12};
    map.require("n_dcs", cross.centers, degree_range);
    map.require("interconnect_bandwidth_gbps", gbit, positive);
    map.require("interconnect_latency_s", latency_s, Range<double>{0.0, 1e6});
    map.finish();
    cross.bandwidth = base::BytesPerSecond::from_gbit(gbit);
    cross.latency = base::Seconds::from_s(latency_s);
    input_.cross_dc = cross;
    input_.notes.push_back({map.where(),
                            fmt::format("{} data centres are not modelled yet", cross.centers),
                            "the cluster is taken as one", base::Severity::warning});
  }

  void check() {
    check_model(input_.model, places_, problems_);
    const Plan& plan = input_.plan;
    const double gpus =
        static_cast<double>(plan.tensor) * plan.pipeline * plan.data * plan.context.degree;
    if (gpus > degree_range.max)
      problems_.push_back({input_.origins.at("plan"),
                           fmt::format("tp x cp x pp x dp is {:.0f} GPUs, must be at most {}", gpus,
                                       degree_range.max),
                           ""});
  }

  /// What follows from the rest: positions, formats, the size of a bucket.
  void finish() {
    Plan& plan = input_.plan;
    input_.gpus = plan.ranks();
    input_.model.positions = plan.sequence;
    // The stage with the largest share: its layers and one vocabulary matrix (two when alone).
    const ParameterCount count = count_parameters(input_.model);
    const std::int64_t tables =
        plan.pipeline > 1 ? input_.model.vocab * input_.model.hidden : count.embedding + count.head;
    const std::int64_t layers = count.total() - count.embedding - count.head - count.experts;
    const std::int64_t expert_ranks =
        static_cast<std::int64_t>(plan.expert.degree) * plan.expert.tensor_or(plan.tensor);
    const std::int64_t per_rank = (layers / plan.pipeline + tables) / plan.tensor +
                                  count.experts / plan.pipeline / expert_ranks;
    plan.bucket =
        base::Bytes::from_count(std::max<std::int64_t>(1, per_rank / input_.gradient_buckets) * 4);
  }

  base::Diagnostics problems_;
  MapReader root_;
  FieldPlaces places_;
  DlcalcInput input_;
  int layers_ = 0;
};

}  // namespace

bool looks_like_dlcalc(const base::Document& document) {
  const base::Node* model = document.root.find("model");
  const base::Node* hardware = document.root.find("hardware");
  return model != nullptr && hardware != nullptr && model->find("n_layers") != nullptr &&
         hardware->find("node_type") != nullptr;
}

base::Result<DlcalcInput> read_dlcalc(const base::Document& document) {
  return DlcalcReader(document).read();
}

}  // namespace strategies
