# Targets for people who work on the code; nothing else depends on them.
#   tidy           clang-tidy over all sources (.clang-tidy says what is checked)
#   format         rewrites all sources as .clang-format says
#   format-check   fails where `format` would change something
find_program(RUN_CLANG_TIDY NAMES run-clang-tidy-14 run-clang-tidy)
find_program(CLANG_FORMAT NAMES clang-format-14 clang-format)
set(FORESHARD_FOLDERS base topology strategies calibrate sim viz cli tests)
string(REPLACE ";" "|" folders_pattern "${FORESHARD_FOLDERS}")

if(RUN_CLANG_TIDY)
  add_custom_target(tidy
    COMMAND ${RUN_CLANG_TIDY} -quiet -p ${PROJECT_BINARY_DIR}
            "${PROJECT_SOURCE_DIR}/(${folders_pattern})/.*\\.cpp$"
    WORKING_DIRECTORY ${PROJECT_SOURCE_DIR} USES_TERMINAL VERBATIM)
endif()

if(CLANG_FORMAT)
  set(list_sources "find ${FORESHARD_FOLDERS} -name '*.[ch]pp' -print0")
  string(REPLACE ";" " " list_sources "${list_sources}")
  add_custom_target(format
    COMMAND sh -c "${list_sources} | xargs -0 ${CLANG_FORMAT} -i"
    WORKING_DIRECTORY ${PROJECT_SOURCE_DIR} VERBATIM)
  add_custom_target(format-check
    COMMAND sh -c "${list_sources} | xargs -0 ${CLANG_FORMAT} --dry-run -Werror"
    WORKING_DIRECTORY ${PROJECT_SOURCE_DIR} VERBATIM)
endif()
