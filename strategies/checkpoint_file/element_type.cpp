#include "strategies/checkpoint_file/element_type.hpp"

#include <algorithm>
#include <array>
#include <limits>

namespace strategies::checkpoint_file {

namespace {

constexpr std::array<ElementType, 23> types{{
    {"BOOL", "bool", "BoolStorage", 8},
    {"U8", "uint8", "ByteStorage", 8},
    {"I8", "int8", "CharStorage", 8},
    {"U16", "uint16", "", 16},
    {"I16", "int16", "ShortStorage", 16},
    {"U32", "uint32", "", 32},
    {"I32", "int32", "IntStorage", 32},
    {"U64", "uint64", "", 64},
    {"I64", "int64", "LongStorage", 64},
    {"F4", "float4_e2m1fn_x2", "", 4},
    {"F6_E2M3", "", "", 6},
    {"F6_E3M2", "", "", 6},
    {"F8_E4M3", "float8_e4m3fn", "Float8_e4m3fnStorage", 8},
    {"F8_E5M2", "float8_e5m2", "Float8_e5m2Storage", 8},
    {"F8_E8M0", "float8_e8m0fnu", "", 8},
    {"F16", "float16", "HalfStorage", 16},
    {"BF16", "bfloat16", "BFloat16Storage", 16},
    {"F32", "float32", "FloatStorage", 32},
    {"F64", "float64", "DoubleStorage", 64},
    {"C64", "complex64", "ComplexFloatStorage", 64},
    {"C128", "complex128", "ComplexDoubleStorage", 128},
    {"QI8", "qint8", "QInt8Storage", 8},
    {"QI32", "qint32", "QInt32Storage", 32},
}};

const ElementType* find(std::string_view ElementType::*column, std::string_view name) {
  if (name.empty()) return nullptr;
  const auto* found = std::find_if(types.begin(), types.end(),
                                   [&](const ElementType& type) { return type.*column == name; });
  return found == types.end() ? nullptr : found;
}

}  // namespace

const ElementType* type_of_safetensors(std::string_view name) {
  return find(&ElementType::name, name);
}
const ElementType* type_of_torch(std::string_view name) { return find(&ElementType::torch, name); }
const ElementType* type_of_storage(std::string_view name) {
  return find(&ElementType::storage, name);
}

std::optional<std::int64_t> elements_of(const Shape& shape) {
  constexpr std::int64_t most = std::numeric_limits<std::int64_t>::max() / 128;  // bits of a C128
  std::int64_t product = 1;
  if (std::find(shape.begin(), shape.end(), 0) != shape.end()) return 0;
  for (const std::int64_t extent : shape) {
    if (product > most / extent) return std::nullopt;
    product *= extent;
  }
  return product;
}

base::Bytes bytes_of(std::int64_t elements, const ElementType& type) {
  return base::Bytes::from_count(base::ceil_div(elements * type.bits, 8));
}

}  // namespace strategies::checkpoint_file
