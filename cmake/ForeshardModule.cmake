# foreshard_module(NAME SOURCES ... HEADERS ... DEPS ... EXTERNAL ...)
#   A static library of one module. DEPS are modules of ours that its headers may show; EXTERNAL are
#   foreign libraries that only its sources see. Each header is compiled alone by the target
#   all_verify_interface_header_sets.
# GCC 12 wrongly reports maybe-uninitialized on initializer lists of strings.
set(FORESHARD_WARNINGS -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wno-missing-field-initializers
                       $<$<CXX_COMPILER_ID:GNU>:-Wno-maybe-uninitialized>)

function(foreshard_flags target)
  target_compile_options(${target} PRIVATE ${FORESHARD_WARNINGS})
  target_include_directories(${target} PRIVATE ${PROJECT_SOURCE_DIR})
  if(FORESHARD_FUZZERS)
    target_compile_options(${target} PRIVATE -fsanitize=fuzzer-no-link)
  endif()
  if(FORESHARD_SANITIZE)
    target_compile_options(${target} PRIVATE -fsanitize=${FORESHARD_SANITIZE} -fno-omit-frame-pointer
                                             -fno-sanitize-recover=undefined)
    target_link_options(${target} PUBLIC -fsanitize=${FORESHARD_SANITIZE})
  endif()
endfunction()

function(foreshard_module name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "" "SOURCES;HEADERS;DEPS;EXTERNAL")
  add_library(${name} STATIC ${arg_SOURCES})
  target_sources(${name} PUBLIC FILE_SET HEADERS BASE_DIRS ${PROJECT_SOURCE_DIR}
                                FILES ${arg_HEADERS})
  set_target_properties(${name} PROPERTIES VERIFY_INTERFACE_HEADER_SETS ON)
  target_link_libraries(${name} PUBLIC ${arg_DEPS} tl::expected PRIVATE ${arg_EXTERNAL} fmt::fmt)
  foreshard_flags(${name})
endfunction()
