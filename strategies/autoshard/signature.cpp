#include "strategies/autoshard/signature.hpp"

#include <algorithm>
#include <cctype>
#include <numeric>
#include <optional>
#include <set>
#include <string>
#include <utility>

#include "base/check.hpp"
#include "base/units.hpp"

namespace strategies::autoshard {

namespace {

using placement::Layout;
using placement::Mesh;
using placement::Shape;

/// A dim as written: its parts, outermost first; none: never cut.
using Parts = std::string;

constexpr std::string_view ellipsis = "...";
/// Dims of an ellipsis are labelled by digits from the right.
constexpr int ellipsis_max = 10;

std::vector<std::string_view> split(std::string_view text, std::string_view separator) {
  std::vector<std::string_view> pieces;
  for (;;) {
    const std::size_t at = text.find(separator);
    pieces.push_back(text.substr(0, at));
    if (at == std::string_view::npos) return pieces;
    text.remove_prefix(at + separator.size());
  }
}

/// The dims of one tensor of `rank` dims.
std::vector<Parts> read_tensor(std::string_view text, std::size_t rank) {
  std::vector<Parts> dims;
  std::optional<std::size_t> dots;
  bool group = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (c == ' ') continue;
    if (text.substr(i, ellipsis.size()) == ellipsis) {
      dots = dims.size();
      i += ellipsis.size() - 1;
    } else if (c == '(') {
      group = true;
      dims.emplace_back();
    } else if (c == ')') {
      group = false;
    } else if (group) {
      dims.back() += c;
    } else {
      dims.emplace_back(c == '_' ? Parts() : Parts(1, c));
    }
  }
  if (!dots) return dims;
  CHECK_INVARIANT(dims.size() <= rank && rank - dims.size() <= ellipsis_max);
  const std::size_t left = rank - dims.size();
  std::vector<Parts> more;
  for (std::size_t i = 0; i < left; ++i)
    more.emplace_back(1, static_cast<char>('0' + (left - 1 - i)));
  dims.insert(dims.begin() + static_cast<std::ptrdiff_t>(*dots), more.begin(), more.end());
  return dims;
}

std::vector<std::vector<Parts>> read_side(std::string_view text, const std::vector<Shape>& shapes) {
  std::vector<std::vector<Parts>> tensors;
  if (shapes.empty()) return tensors;
  const std::vector<std::string_view> pieces = split(text, ",");
  CHECK_INVARIANT(pieces.size() == shapes.size());
  for (std::size_t i = 0; i < pieces.size(); ++i) {
    tensors.push_back(read_tensor(pieces[i], shapes[i].size()));
    CHECK_INVARIANT(tensors.back().size() == shapes[i].size());
  }
  return tensors;
}

class Reader {
 public:
  Reader(const Shapes& shapes, std::map<char, std::int64_t> sizes)
      : shapes_(shapes), sizes_(std::move(sizes)) {}

  Signature read(std::string_view notation) {
    const std::vector<std::string_view> sides = split(notation, "->");
    CHECK_INVARIANT(sides.size() == 2);
    const auto operands = read_side(sides[0], shapes_.operands);
    const auto results = read_side(sides[1], shapes_.results);
    bind(operands, shapes_.operands);
    bind(results, shapes_.results);
    for (std::size_t i = 0; i < operands.size(); ++i)
      signature_.operands.push_back(tensor(operands[i], shapes_.operands[i]));
    for (std::size_t i = 0; i < results.size(); ++i)
      signature_.results.push_back(tensor(results[i], shapes_.results[i]));
    return std::move(signature_);
  }

 private:
  void bind(const std::vector<std::vector<Parts>>& tensors, const std::vector<Shape>& shapes) {
    for (std::size_t t = 0; t < tensors.size(); ++t)
      for (std::size_t d = 0; d < tensors[t].size(); ++d) {
        const Parts& parts = tensors[t][d];
        const std::int64_t size = shapes[t][d];
        for (std::size_t i = 1; i < parts.size(); ++i) inside_.insert(parts[i]);
        if (parts.size() != 1 || size == 1) continue;
        const auto [known, added] = sizes_.emplace(parts.front(), size);
        CHECK_INVARIANT(known->second == size);
      }
  }

  LabelledTensor tensor(const std::vector<Parts>& dims, const Shape& shape) {
    LabelledTensor labelled;
    for (std::size_t d = 0; d < dims.size(); ++d) labelled.push_back(dim(dims[d], shape[d]));
    return labelled;
  }

  LabelledDim dim(const Parts& parts, std::int64_t size) {
    if (parts.empty() || size == 1 || inside_.contains(parts.front())) return {};
    const std::int64_t outer = sizes_.at(parts.front());
    if (outer == 1) return {};
    CHECK_INVARIANT(size % outer == 0);
    const auto [known, added] =
        index_.emplace(parts.front(), static_cast<int>(signature_.labels.size()));
    if (added) signature_.labels.push_back({outer, false});
    Label& label = signature_.labels[static_cast<std::size_t>(known->second)];
    label.even = label.even || size > outer;
    return {known->second, size / outer};
  }

  const Shapes& shapes_;
  std::map<char, std::int64_t> sizes_;
  std::set<char> inside_;  ///< not the outermost part of some dim
  std::map<char, int> index_;
  Signature signature_;
};

/// Cut after cut; nothing when the sizes do not allow it.
std::optional<std::int64_t> left_of(const Label& label, int index, const Sharding& sharding,
                                    const Mesh& mesh) {
  std::int64_t left = label.size;
  for (const int mesh_dim : sharding.order) {
    if (sharding.uses[static_cast<std::size_t>(mesh_dim)] != index) continue;
    const std::int64_t ranks = mesh.extent(mesh_dim);
    if (left < ranks || (label.even && left % ranks != 0)) return std::nullopt;
    left = base::ceil_div(left, ranks);
  }
  return left;
}

bool allowed(const Signature& signature, const Sharding& sharding, const Mesh& mesh) {
  for (std::size_t l = 0; l < signature.labels.size(); ++l)
    if (!left_of(signature.labels[l], static_cast<int>(l), sharding, mesh)) return false;
  return true;
}

/// Every turn of an order is that of a mesh dim that cuts the same label, or its own.
bool canonical(const Sharding& sharding) {
  for (std::size_t i = 0; i < sharding.order.size(); ++i) {
    const int use = sharding.uses[static_cast<std::size_t>(sharding.order[i])];
    if (sharding.order[i] != static_cast<int>(i) && (use < 0 || use != sharding.uses[i]))
      return false;
  }
  return true;
}

enum class Side { operand, result };

Layout layout_of(const Signature& signature, const Sharding& sharding, Side side, int index) {
  const bool operand = side == Side::operand;
  const LabelledTensor& tensor =
      (operand ? signature.operands : signature.results)[static_cast<std::size_t>(index)];
  const bool pends = !operand || std::find(signature.passes.begin(), signature.passes.end(),
                                           index) != signature.passes.end();
  Layout layout;
  layout.order = sharding.order;
  for (const int use : sharding.uses) {
    const auto dim = std::find_if(tensor.begin(), tensor.end(),
                                  [&](const LabelledDim& d) { return use >= 0 && d.label == use; });
    if (dim != tensor.end())
      layout.placements.emplace_back(placement::Shard{static_cast<int>(dim - tensor.begin())});
    else if ((use == Sharding::pending && pends) || (use >= 0 && !operand))
      layout.placements.emplace_back(placement::Partial{signature.reduction});
    else
      layout.placements.emplace_back(placement::Replicate{});
  }
  if (std::is_sorted(layout.order.begin(), layout.order.end())) layout.order.clear();
  return layout;
}

}  // namespace

Signature parse_signature(std::string_view notation, const Shapes& shapes,
                          const std::map<char, std::int64_t>& sizes) {
  return Reader(shapes, sizes).read(notation);
}

std::vector<Sharding> enumerate_shardings(const Signature& signature, const Mesh& mesh) {
  std::vector<Sharding> unordered{{}};
  for (int mesh_dim = 0; mesh_dim < mesh.dims(); ++mesh_dim) {
    std::vector<Sharding> longer;
    const auto extend = [&](const Sharding& sharding, int use) {
      longer.push_back(sharding);
      longer.back().uses.push_back(use);
    };
    for (const Sharding& sharding : unordered) {
      extend(sharding, Sharding::same);
      if (mesh.extent(mesh_dim) == 1) continue;
      for (std::size_t l = 0; l < signature.labels.size(); ++l)
        extend(sharding, static_cast<int>(l));
      if (!signature.passes.empty()) extend(sharding, Sharding::pending);
    }
    unordered = std::move(longer);
  }
  std::vector<Sharding> shardings;
  for (Sharding& sharding : unordered) {
    sharding.order.resize(sharding.uses.size());
    std::iota(sharding.order.begin(), sharding.order.end(), 0);
    do {
      if (canonical(sharding) && allowed(signature, sharding, mesh)) shardings.push_back(sharding);
    } while (std::next_permutation(sharding.order.begin(), sharding.order.end()));
  }
  return shardings;
}

Layout operand_layout(const Signature& signature, const Sharding& sharding, int operand) {
  return layout_of(signature, sharding, Side::operand, operand);
}

Layout result_layout(const Signature& signature, const Sharding& sharding, int result) {
  return layout_of(signature, sharding, Side::result, result);
}

std::vector<std::int64_t> local_sizes(const Signature& signature, const Sharding& sharding,
                                      const Mesh& mesh) {
  std::vector<std::int64_t> sizes;
  for (std::size_t l = 0; l < signature.labels.size(); ++l) {
    const auto left = left_of(signature.labels[l], static_cast<int>(l), sharding, mesh);
    CHECK_INVARIANT(left.has_value());
    sizes.push_back(*left);
  }
  return sizes;
}

double local_elements(const LabelledTensor& tensor, const Shape& shape,
                      const std::vector<std::int64_t>& sizes) {
  double elements = 1;
  for (std::size_t d = 0; d < tensor.size(); ++d) {
    const LabelledDim& dim = tensor[d];
    elements *= static_cast<double>(
        dim.label < 0 ? shape[d] : sizes[static_cast<std::size_t>(dim.label)] * dim.inner);
  }
  return elements;
}

}  // namespace strategies::autoshard
