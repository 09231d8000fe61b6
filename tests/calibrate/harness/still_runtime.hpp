#pragma once

#include <cstdint>
#include <cstring>
#include <new>

#include "calibrate/runtime/runtime.h"

/// What runtimes that live in a test have in common: one device and one rank, of which nothing is
/// kept. A test adds the functions that it is about.
namespace calibrate::harness {

inline int here = 0;  // stands for the device, the world and everything made of them

inline const char* abi() { return FORESHARD_RUNTIME_ABI; }
inline int32_t one_device() { return 1; }
inline void* open_device(int32_t) { return &here; }
inline void close_device(void*) {}
inline const char* no_error(void*) { return "as the test wants it"; }
inline int32_t software(void*, int32_t index, foreshard_software* software) {
  *software = {};
  std::strcpy(software->name, "Test library");
  std::strcpy(software->version, "1.0");
  return index == 0 ? 0 : 1;
}
inline void* allocate(void*, int64_t bytes) {
  return ::operator new(static_cast<std::size_t>(bytes));
}
inline void release(void*, void* memory) { ::operator delete(memory); }
inline int32_t copy(void*, void* to, const void* from, int64_t bytes) {
  std::memcpy(to, from, static_cast<std::size_t>(bytes));
  return 0;
}
inline const char* text(void*, void*) { return "Test library"; }
inline void nothing(void*, void*) {}

inline void* join(const foreshard_rendezvous*) { return &here; }
inline void leave(void*) {}
inline int32_t zero(void*) { return 0; }
inline int32_t one(void*) { return 1; }
inline int32_t share(void*, const void* mine, void* all, int64_t bytes) {
  std::memcpy(all, mine, static_cast<std::size_t>(bytes));
  return 0;
}
inline void* communicator(void*, const int32_t*, int32_t) { return &here; }

}  // namespace calibrate::harness
