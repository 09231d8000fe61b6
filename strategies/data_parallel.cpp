#include "strategies/data_parallel.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "base/name_table.hpp"
#include "strategies/plan_names.hpp"

namespace strategies {

namespace {

using base::MapReader;
using base::Range;

void read_size(MapReader& reader, std::string_view key, base::Bytes& size) {
  if (reader.read(key, size) && size.count() < 1)
    reader.error(key, fmt::format("'{}' must be at least 1 B", key));
}

void read_sync(MapReader& reader, Plan& plan) {
  GradientSync sync{};
  if (reader.read_choice("sync", sync, sync_names)) plan.sync = sync;
}

void read_ddp(MapReader reader, Plan& plan) {
  BucketPolicy& policy = plan.ddp.buckets;
  reader.read_choice("buckets", policy, bucket_names);
  if (reader.has("bucket_size") && plan.bucket.count() > 0)
    reader.error("bucket_size", "the size of a bucket is said twice",
                 "leave out 'bucket' or 'bucket_size'");
  read_size(reader, "bucket_size", plan.bucket);
  read_size(reader, "first_bucket_size", plan.ddp.first_bucket);
  if (plan.ddp.first_bucket.count() > 0 && policy != BucketPolicy::sequential)
    reader.error("first_bucket_size",
                 fmt::format("buckets '{}' have no first one of another size",
                             base::name_in(bucket_names, policy)),
                 "use buckets: sequential");
  if (plan.bucket.count() > 0 && policy == BucketPolicy::per_parameter)
    reader.error("buckets", "buckets 'per_parameter' have no size", "leave out the size");
  if (plan.zero > 0 && (policy == BucketPolicy::best_fit || policy == BucketPolicy::per_parameter))
    reader.error("buckets",
                 fmt::format("buckets '{}' are of DDP, but zero is {}",
                             base::name_in(bucket_names, policy), plan.zero),
                 "use megatron, sequential or deepspeed");
  read_sync(reader, plan);
  if (plan.zero == 3)
    reader.error("", "'ddp' says nothing where zero is 3",
                 "units of layers are what FSDP has for buckets: fsdp.layers_per_unit");
  else if (plan.zero > 0 && plan.sync == GradientSync::none)
    reader.error("sync", fmt::format("sync 'none' is of DDP, but zero is {}", plan.zero),
                 "use last or every");
  else if (plan.zero == 2 && plan.sync == GradientSync::last)
    reader.error("sync", "sync 'last' keeps whole gradients, but zero 2 keeps shards of them",
                 "use zero: 1");
  reader.finish();
}

void read_reshard(MapReader& reader, Fsdp& fsdp) {
  const std::string_view key = "reshard_after_forward";
  const base::Node* node = reader.find(key);
  if (node == nullptr) return;
  bool reshard = true;
  if (node->text == "true" || node->text == "false") {
    reader.read(key, reshard);
    fsdp.ranks_after_forward = reshard ? 0 : 1;
  } else {
    reader.read(key, fsdp.ranks_after_forward, Range<int>{2, degree_max});
  }
}

void read_layers_per_unit(MapReader& reader, Fsdp& fsdp) {
  const std::string_view key = "layers_per_unit";
  const base::Node* node = reader.find(key);
  if (node == nullptr) return;
  if (node->items.empty()) {
    reader.read(key, fsdp.layers_per_unit.front(), Range<int>{1, degree_max});
    return;
  }
  std::vector<double> counts;
  if (!reader.read(key, counts)) return;
  fsdp.layers_per_unit.clear();
  for (const double count : counts) {
    if (count < 1 || count > degree_max || count != std::floor(count)) {
      reader.error(key, fmt::format("{} is no number of layers", count));
      fsdp.layers_per_unit = {1};
      return;
    }
    fsdp.layers_per_unit.push_back(static_cast<int>(count));
  }
}

void read_fsdp(MapReader reader, Plan& plan) {
  Fsdp& fsdp = plan.fsdp;
  read_reshard(reader, fsdp);
  read_layers_per_unit(reader, fsdp);
  if (reader.read("prefetch", fsdp.prefetch, {0, degree_max}) && fsdp.prefetch > 0 &&
      !plan.overlap.parameter_gather)
    reader.error(
        "prefetch",
        fmt::format("prefetch is {}, but overlap.parameter_gather is false", fsdp.prefetch),
        "leave out one of them");
  reader.read_choice("root", fsdp.root, fsdp_root_names);
  reader.read("offload", fsdp.offload);
  base::DType type{};
  if (reader.read_choice("gather_dtype", type, base::dtype_names)) fsdp.gather_dtype = type;
  if (reader.read_choice("reduce_dtype", type, base::dtype_names)) fsdp.reduce_dtype = type;
  read_sync(reader, plan);
  if (plan.zero < 3)
    reader.error("", fmt::format("'fsdp' says nothing where zero is {}", plan.zero), "set zero: 3");
  else if (plan.sync == GradientSync::none)
    reader.error("sync", "sync 'none' is of DDP, but zero is 3", "use last or every");
  reader.finish();
}

}  // namespace

void read_data_parallel(MapReader& reader, Plan& plan) {
  read_size(reader, "bucket", plan.bucket);
  read_size(reader, "gather_bucket", plan.gather_bucket);
  for (const std::string_view key : {"bucket", "gather_bucket"})
    if (plan.zero == 3 && reader.has(key))
      reader.warning(key, fmt::format("'{}' changes nothing where zero is 3", key),
                     "units of layers are what FSDP has for buckets: fsdp.layers_per_unit");
  if (plan.zero == 0 && reader.has("gather_bucket"))
    reader.warning("gather_bucket", "no parameters are gathered where zero is 0");
  if (auto ddp = reader.map("ddp")) read_ddp(std::move(*ddp), plan);
  if (auto fsdp = reader.map("fsdp")) read_fsdp(std::move(*fsdp), plan);
}

void choose_buckets(Plan& plan) {
  const auto elements = [](double count, base::DType type) {
    return base::Bytes::from_double(count * base::bytes_of(type));
  };
  const BucketPolicy policy = plan.ddp.buckets;
  const base::DType gradients = plan.precision.gradients;
  if (plan.bucket.count() == 0) {
    switch (policy) {
      case BucketPolicy::megatron:  // no less than 1 M elements for each data-parallel rank
        plan.bucket = elements(std::max(40e6, 1e6 * plan.data), gradients);
        break;
      case BucketPolicy::sequential: plan.bucket = base::Bytes::from_mib(25); break;
      case BucketPolicy::deepspeed: plan.bucket = elements(5e8, gradients); break;
      case BucketPolicy::best_fit: plan.bucket = elements(0x1p24, gradients); break;
      case BucketPolicy::per_parameter: break;
    }
  }
  if (policy == BucketPolicy::sequential && plan.ddp.first_bucket.count() == 0)
    plan.ddp.first_bucket = base::Bytes::from_mib(1);
  if (policy == BucketPolicy::deepspeed && plan.gather_bucket.count() == 0)
    plan.gather_bucket = elements(5e8, plan.precision.parameters);
}

std::vector<FsdpMistake> fsdp_mistakes(const Plan& plan, int layers) {
  std::vector<FsdpMistake> mistakes;
  const auto error = [&](std::string_view key, std::string message, std::string hint = {}) {
    mistakes.push_back({fmt::format("fsdp.{}", key), std::move(message), std::move(hint)});
  };
  const Fsdp& fsdp = plan.fsdp;
  const int shards = plan.data / plan.data_replicate;
  const int groups = fsdp.ranks_after_forward;
  if (groups > 1 && plan.data_replicate > 1)
    error("reshard_after_forward",
          fmt::format("reshard_after_forward {} and data_replicate {} both cut the data-parallel "
                      "ranks in groups",
                      groups, plan.data_replicate),
          "use reshard_after_forward: true");
  else if (groups > 1 && (groups >= shards || shards % groups != 0))
    error("reshard_after_forward",
          fmt::format("reshard_after_forward {} is no proper divisor of {} shards", groups, shards),
          "true reshards over all of them");
  const std::vector<int>& counts = fsdp.layers_per_unit;
  const std::int64_t sum = std::accumulate(counts.begin(), counts.end(), std::int64_t{0});
  if (counts.size() > 1 && sum != layers)
    error("layers_per_unit", fmt::format("units of {} layers, but the model has {}", sum, layers));
  if (fsdp.offload && shards * plan.context.degree == 1)
    error("offload", "nothing is sharded over one rank, so nothing can be offloaded");
  const OptimizerKind kind = plan.optimizer.kind;
  if (fsdp.offload && kind != OptimizerKind::adam && kind != OptimizerKind::adamw)
    error("offload", "only adam and adamw run on the host");
  return mistakes;
}

std::string describe_data_parallel(const Plan& plan) {
  if (plan.zero < 3) {
    std::string text = plan.zero == 0 ? "DDP" : fmt::format("ZeRO-{}", plan.zero);
    if (plan.ddp.buckets != BucketPolicy::megatron)
      text += fmt::format(", {} buckets", base::name_in(bucket_names, plan.ddp.buckets));
    if (plan.sync) text += fmt::format(", sync {}", base::name_in(sync_names, *plan.sync));
    return text;
  }
  std::string text = plan.data_replicate > 1 ? fmt::format("HSDP, {} replicas", plan.data_replicate)
                                             : std::string("FSDP");
  const int ranks = plan.fsdp.ranks_after_forward;
  if (ranks == 1) text += ", not resharded after forward";
  if (ranks > 1) text += fmt::format(", resharded to {} after forward", ranks);
  if (plan.fsdp.prefetch != 1) text += fmt::format(", prefetch {}", plan.fsdp.prefetch);
  if (plan.fsdp.offload) text += ", offloaded";
  if (plan.sync) text += fmt::format(", sync {}", base::name_in(sync_names, *plan.sync));
  return text;
}

}  // namespace strategies
