#include "strategies/autoshard/model_graph.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <utility>

#include "base/check.hpp"

namespace strategies::autoshard {

namespace {

using placement::Shape;

struct Layer {
  LayerKind kind;
  std::string name;
  double copies = 0;
  int block = 0;
  Value input;
  Value output;
  Value gradient;  ///< of the input
};

class ModelWriter {
 public:
  ModelWriter(const ModelSpec& model, const StepShape& shape, const StepPrecision& precision)
      : model_(model), shape_(shape), compute_(precision.compute), build_(precision) {}

  TensorGraph write() {
    forward();
    backward();
    return build_.finish();
  }

 private:
  TensorType stream() const { return {{shape_.batch, shape_.seq, model_.hidden}, compute_}; }

  void forward() {
    std::vector<int> walk{build_.begin_block("embedding", 1)};
    const Value tokens = build_.indices("tokens", {shape_.batch, shape_.seq});
    table_ = build_.parameter("weight", {model_.vocab, model_.hidden});
    embedded_ = build_.embedding("lookup", table_, tokens);
    if (model_.position == Position::learned) {
      const Value rows = build_.parameter("positions.weight", {model_.positions, model_.hidden});
      const Value places = build_.indices("places", {shape_.seq});
      const Value positions = build_.embedding("positions.lookup", rows, places);
      embedded_ = build_.add("add_positions", {embedded_, positions});
    }
    if (model_.embedding_norm) embedded_ = norm("norm", embedded_);
    collect_layers();
    for (Layer& layer : layers_) {
      layer.block = build_.begin_block(layer.name, layer.copies);
      layer.input = build_.entry("input", stream());
      layer.output = write_layer(layer.kind, layer.input);
    }
    for (const LayerKind& kind : model_.layers)
      walk.push_back(layers_[static_cast<std::size_t>(layer_index(kind))].block);
    walk.push_back(build_.begin_block("head", 1));
    build_.walk(std::move(walk));
    head_input_ = build_.entry("input", stream());
    const Value x = model_.final_norm ? norm("norm", head_input_) : head_input_;
    const Value weight =
        model_.tied_embeddings ? table_ : build_.parameter("weight", {model_.vocab, model_.hidden});
    const Value labels = build_.indices("labels", {shape_.batch, shape_.seq});
    const Value logits = project("projection", x, weight, model_.head_bias);
    build_.cross_entropy("loss", logits, labels);
    for_each_link([&](Value from, const Layer* to, double copies) {
      build_.link(to == nullptr ? head_input_ : to->input, from, copies);
    });
  }

  void backward() {
    build_.differentiate("head");
    head_gradient_ = build_.gradient_of(head_input_);
    std::map<Value, Value> seeds;  // of outputs, where their gradients come in
    for (auto layer = layers_.rbegin(); layer != layers_.rend(); ++layer) {
      seeds[layer->output] = build_.seed_entry(layer->name, layer->output);
      build_.differentiate(layer->name);
      layer->gradient = build_.gradient_of(layer->input);
    }
    seeds[embedded_] = build_.seed_entry("embedding", embedded_);
    build_.differentiate("embedding");
    for_each_link([&](Value from, const Layer* to, double copies) {
      build_.link(seeds.at(from), to == nullptr ? head_gradient_ : to->gradient, copies);
    });
  }

  /// Distinct layers in the order in which they first occur.
  void collect_layers() {
    for (const LayerKind& kind : model_.layers) {
      const int index = layer_index(kind);
      if (index == static_cast<int>(layers_.size())) {
        std::string name = kind.mixture ? "moe_layers" : "layers";
        if (kind.window > 0) name += fmt::format("_window_{}", kind.window);
        layers_.push_back({kind, std::move(name)});
      }
      layers_[static_cast<std::size_t>(index)].copies += 1;
    }
  }

  int layer_index(const LayerKind& kind) const {
    const auto found = std::find_if(layers_.begin(), layers_.end(),
                                    [&](const Layer& layer) { return layer.kind == kind; });
    return static_cast<int>(found - layers_.begin());
  }

  /// From what, to which layer (none: the head), how often.
  template <class Visit>
  void for_each_link(const Visit& visit) {
    const int head = static_cast<int>(layers_.size());
    std::map<std::pair<int, int>, double> links;
    int last = -1;
    for (const LayerKind& kind : model_.layers) {
      const int index = layer_index(kind);
      links[{last, index}] += 1;
      last = index;
    }
    links[{last, head}] += 1;
    for (const auto& [ends, copies] : links) {
      const auto [from, to] = ends;
      visit(from < 0 ? embedded_ : layers_[static_cast<std::size_t>(from)].output,
            to == head ? nullptr : &layers_[static_cast<std::size_t>(to)], copies);
    }
  }

  Value norm(const std::string& name, Value x) {
    return norm_of(name, x, build_.type(x).shape.back(), 1, model_.norm_bias);
  }

  Value norm_of(const std::string& name, Value x, std::int64_t width, std::int64_t groups,
                bool bias) {
    std::vector<Value> parameters{build_.parameter(name + ".weight", {width})};
    if (bias) parameters.push_back(build_.parameter(name + ".bias", {width}));
    return build_.norm(name, x, parameters, groups);
  }

  Value project(const std::string& name, Value x, Value weight, bool bias) {
    if (!bias) return build_.einsum(name, x, weight, "b s i, o i -> b s o");
    return build_.linear(name, x, weight,
                         build_.parameter(name + ".bias", {build_.type(weight).shape.front()}));
  }

  Value matrix(const std::string& name, Value x, std::int64_t outputs, bool bias) {
    return project(
        name, x, build_.parameter(name + ".weight", {outputs, build_.type(x).shape.back()}), bias);
  }

  Value write_layer(LayerKind kind, Value x) {
    const bool mixture = kind.mixture && model_.mixture;
    const bool own_norm = !model_.parallel_block || model_.norms_per_layer > 1;
    const Value read = model_.norms_per_layer > 0 ? norm("attention_norm", x) : x;
    Value attended = attention(read, kind.window);
    if (model_.norms_per_layer > 2) attended = norm("post_attention_norm", attended);
    Value stream = x;
    Value mlp_input = read;
    if (!model_.parallel_block) {
      stream = build_.add("attention_residual", {x, attended});
      mlp_input = model_.norms_per_layer > 1 ? norm("mlp_norm", stream) : stream;
    } else if (own_norm) {
      mlp_input = norm("mlp_norm", x);
    }
    Value fed = mixture ? experts(mlp_input) : mlp("mlp", mlp_input, model_.ffn, model_.mlp_bias);
    if (model_.norms_per_layer > 3) fed = norm("post_mlp_norm", fed);
    std::vector<Value> terms{stream, fed};
    if (model_.parallel_block) terms.push_back(attended);
    return build_.add("mlp_residual", terms);
  }

  struct Heads {
    Value queries;
    Value keys;
    Value values;
  };

  Value attention(Value x, std::int64_t window) {
    const Heads heads = model_.latent ? latent_heads(*model_.latent, x) : plain_heads(x);
    const base::Attention whole{
        .batch = shape_.batch,
        .seq_q = shape_.seq,
        .seq_kv = shape_.seq,
        .q_heads = model_.heads,
        .kv_heads = model_.latent ? model_.heads : model_.kv_heads,
        .head_dim = model_.head_dim,
        .value_dim = model_.latent ? model_.latent->value_head_dim : model_.head_dim,
        .window = window,
        .dtype = compute_};
    const Value out =
        build_.attention("attention.core", heads.queries, heads.keys, heads.values, whole);
    return matrix("attention.output_projection", out, model_.hidden, model_.output_bias);
  }

  Heads plain_heads(Value x) {
    const std::int64_t dim = model_.head_dim;
    Heads heads;
    heads.queries = matrix("attention.q_projection", x, model_.heads * dim, model_.qkv_bias);
    heads.keys = matrix("attention.k_projection", x, model_.kv_heads * dim, model_.qkv_bias);
    heads.values = matrix("attention.v_projection", x, model_.kv_heads * dim, model_.qkv_bias);
    if (model_.qk_norm) {
      heads.queries = head_norm("attention.q_norm", heads.queries, model_.heads);
      heads.keys = head_norm("attention.k_norm", heads.keys, model_.kv_heads);
    }
    if (model_.position == Position::rotary) {
      heads.queries = build_.rotary("attention.q_rotary", heads.queries, model_.heads);
      heads.keys = build_.rotary("attention.k_rotary", heads.keys, model_.kv_heads);
    }
    return heads;
  }

  /// DeepSeek-V2 (arXiv 2405.04434, section 2.1), keys and values expanded to all heads.
  Heads latent_heads(const LatentAttention& latent, Value x) {
    Heads heads;
    Value q = x;
    if (latent.q_rank > 0)
      q = norm("attention.q_a_norm",
               matrix("attention.q_a_projection", x, latent.q_rank, model_.qkv_bias));
    q = matrix("attention.q_b_projection", q, model_.heads * model_.head_dim, false);
    heads.queries = build_.rotary("attention.q_rotary", q, model_.heads);
    const Value joint = matrix("attention.kv_a_projection", x,
                               latent.kv_rank + latent.rope_head_dim, model_.qkv_bias);
    const std::vector<Value> parts =
        build_.split("attention.kv_a_split", joint, {latent.kv_rank, latent.rope_head_dim});
    const Value expanded =
        matrix("attention.kv_b_projection", norm("attention.kv_a_norm", parts[0]),
               model_.heads * (latent.nope_head_dim + latent.value_head_dim), false);
    const GraphBuilder::KeysAndValues both = build_.latent_keys(
        "attention.keys", expanded, build_.rotary("attention.k_rotary", parts[1], 1), model_.heads,
        latent.value_head_dim);
    heads.keys = both.keys;
    heads.values = both.values;
    return heads;
  }

  Value head_norm(const std::string& name, Value x, std::int64_t heads) {
    return model_.qk_norm_all_heads ? norm_of(name, x, heads * model_.head_dim, 1, false)
                                    : norm_of(name, x, model_.head_dim, heads, false);
  }

  Value mlp(const std::string& prefix, Value x, std::int64_t width, bool bias) {
    std::vector<Value> up;
    if (model_.gated) up.push_back(matrix(prefix + ".gate", x, width, bias));
    up.push_back(matrix(prefix + ".up", x, width, bias));
    return matrix(prefix + ".down", build_.pointwise(prefix + ".activation", up), model_.hidden,
                  bias);
  }

  Value experts(Value x) {
    const Mixture& mixture = *model_.mixture;
    const Value scores = matrix("router.scores", x, mixture.experts, false);
    const GraphBuilder::Routes routes =
        build_.route("router.top_k", scores, mixture.experts_per_token);
    const double room = mixture.capacity_factor > 0 ? mixture.capacity_factor : 1.0;
    const double rows = static_cast<double>(shape_.batch * shape_.seq) * mixture.experts_per_token;
    const auto slots = std::max(
        std::int64_t{1}, static_cast<std::int64_t>(std::ceil(rows * room / mixture.experts)));
    const Value sent = build_.dispatch("dispatch", x, routes.experts, mixture.experts, slots);
    std::vector<Value> up;
    if (model_.gated) up.push_back(grouped("experts.gate", sent, mixture.expert_ffn));
    up.push_back(grouped("experts.up", sent, mixture.expert_ffn));
    const Value active = build_.pointwise("experts.activation", up);
    const Value done = grouped("experts.down", active, model_.hidden);
    const Value routed = build_.combine("combine", done, routes);
    if (mixture.shared_ffn == 0) return routed;
    return build_.add("shared_sum", {routed, mlp("shared", x, mixture.shared_ffn, false)});
  }

  Value grouped(const std::string& name, Value rows, std::int64_t outputs) {
    const Shape& shape = build_.type(rows).shape;
    const Value weight = build_.parameter(name + ".weight", {shape[0], outputs, shape[2]});
    return build_.einsum(name, rows, weight, "e c i, e o i -> e c o");
  }

  const ModelSpec& model_;
  StepShape shape_;
  base::DType compute_;
  GraphBuilder build_;
  Value table_;
  Value embedded_;
  Value head_input_;
  Value head_gradient_;
  std::vector<Layer> layers_;
};

}  // namespace

TensorGraph model_graph(const ModelSpec& model, const StepShape& shape,
                        const StepPrecision& precision) {
  return ModelWriter(model, shape, precision).write();
}

std::vector<std::string> left_out(const ModelSpec& model) {
  std::vector<std::string> texts;
  const auto add = [&](bool present, const char* text) {
    if (present) texts.emplace_back(text);
  };
  add(model.dropout > 0, "dropout and its masks");
  add(model.attention_sinks, "attention sinks, one parameter a head");
  if (!model.mixture) return texts;
  add(model.mixture->shared_gate, "the gate of the shared experts");
  add(model.mixture->router_bias, "biases of the router");
  add(model.mixture->expert_bias, "biases of the experts");
  return texts;
}

}  // namespace strategies::autoshard
