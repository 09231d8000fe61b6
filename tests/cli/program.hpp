#pragma once

#include <sys/wait.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

#include "tests/support/catch.hpp"
#include "tests/support/folder.hpp"

inline std::string contents_of(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
}

inline void write_file(const std::string& path, const std::string& text) {
  std::ofstream(path, std::ios::binary) << text;
}

struct Outcome {
  int code = -1;
  std::string out;
  std::string err;
};

/// Runs the built program from the source folder; `arguments` are words for a shell.
inline Outcome foreshard(const std::string& arguments, const std::string& environment = "") {
  const Folder folder;
  const std::string command = "cd '" FORESHARD_SOURCE_DIR "' && " + environment +
                              " '" FORESHARD_BINARY "' " + arguments + " >'" + (folder / "out") +
                              "' 2>'" + (folder / "err") + "' </dev/null";
  const int status = std::system(command.c_str());
  Outcome outcome{WIFEXITED(status) ? WEXITSTATUS(status) : -1, contents_of(folder / "out"),
                  contents_of(folder / "err")};
  UNSCOPED_INFO("foreshard " << arguments << "\nstdout: " << outcome.out.substr(0, 2000)
                             << "\nstderr: " << outcome.err.substr(0, 2000));
  return outcome;
}
