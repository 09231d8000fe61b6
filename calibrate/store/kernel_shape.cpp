#include "calibrate/store/kernel_shape.hpp"

#include <fmt/format.h>

#include <charconv>
#include <limits>
#include <map>
#include <sstream>

namespace calibrate::store {

namespace {

class Words {
 public:
  explicit Words(std::string_view text) {
    std::istringstream in{std::string(text)};
    in >> kind;
    for (std::string word; in >> word;) {
      const std::size_t at = word.find('=');
      if (at == std::string::npos ||
          !words_.emplace(word.substr(0, at), word.substr(at + 1)).second)
        sound = false;
    }
  }

  std::int64_t number(const std::string& name,
                      std::int64_t max = std::numeric_limits<std::int64_t>::max()) {
    const std::string text = take(name);
    std::int64_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    sound = sound && error == std::errc() && end == text.data() + text.size() && value >= 0 &&
            value <= max;
    return value;
  }
  bool flag(const std::string& name) { return number(name) != 0; }
  base::DType dtype(const std::string& name) {
    const std::string text = take(name);
    for (const auto& [known, type] : base::dtype_names)
      if (known == text) return type;
    sound = false;
    return base::DType::fp32;
  }
  bool all_read() const { return sound && words_.empty(); }

  std::string kind;
  bool sound = true;

 private:
  std::string take(const std::string& name) {
    const auto found = words_.find(name);
    if (found == words_.end()) return {};
    std::string value = found->second;
    words_.erase(found);
    return value;
  }
  std::map<std::string, std::string> words_;
};

}  // namespace

std::string shape_text(const base::Kernel& kernel) {
  if (const auto* gemm = std::get_if<base::Gemm>(&kernel))
    return fmt::format("gemm m={} n={} k={} batch={} dtype={} output={} adds={}", gemm->m, gemm->n,
                       gemm->k, gemm->batch, base::name_of(gemm->dtype),
                       base::name_of(gemm->output), gemm->adds ? 1 : 0);
  if (const auto* a = std::get_if<base::Attention>(&kernel))
    return fmt::format(
        "attention batch={} seq_q={} seq_kv={} q_heads={} kv_heads={} head_dim={} value_dim={} "
        "causal={} window={} backward={} flash={} dtype={}",
        a->batch, a->seq_q, a->seq_kv, a->q_heads, a->kv_heads, a->head_dim, a->value_dim,
        a->causal ? 1 : 0, a->window, a->backward ? 1 : 0, a->flash ? 1 : 0,
        base::name_of(a->dtype));
  const auto& work = std::get<base::MemoryBound>(kernel);
  return fmt::format("memory bytes={} kernels={}", work.bytes.count(), work.kernels);
}

std::optional<base::Kernel> kernel_of_shape(std::string_view text) {
  Words words(text);
  base::Kernel kernel;
  if (words.kind == "gemm") {
    base::Gemm gemm;
    gemm.m = words.number("m");
    gemm.n = words.number("n");
    gemm.k = words.number("k");
    gemm.batch = words.number("batch");
    gemm.dtype = words.dtype("dtype");
    gemm.output = words.dtype("output");
    gemm.adds = words.flag("adds");
    kernel = gemm;
  } else if (words.kind == "attention") {
    base::Attention attention;
    attention.batch = words.number("batch");
    attention.seq_q = words.number("seq_q");
    attention.seq_kv = words.number("seq_kv");
    attention.q_heads = words.number("q_heads");
    attention.kv_heads = words.number("kv_heads");
    attention.head_dim = words.number("head_dim");
    attention.value_dim = words.number("value_dim");
    attention.causal = words.flag("causal");
    attention.window = words.number("window");
    attention.backward = words.flag("backward");
    attention.flash = words.flag("flash");
    attention.dtype = words.dtype("dtype");
    kernel = attention;
  } else if (words.kind == "memory") {
    base::MemoryBound work;
    work.bytes = base::Bytes::from_count(words.number("bytes"));
    work.kernels = static_cast<int>(words.number("kernels", std::numeric_limits<int>::max()));
    kernel = work;
  } else {
    return {};
  }
  if (!words.all_read()) return {};
  return kernel;
}

}  // namespace calibrate::store
