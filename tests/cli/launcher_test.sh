#!/usr/bin/env bash
# The launcher on machines of all kinds, with cmake, ctest, apt-get and the rest played by scripts.
# usage: launcher_test.sh PATH_OF_THE_LAUNCHER
set -uo pipefail

launcher=$1
work=$(mktemp -d)
trap 'rm -rf -- "$work"' EXIT
tree="$work/a tree with spaces"
bin=$work/bin
failures=0
checks=0

check() { # check WHAT CONDITION...: the condition is a command
  local what=$1
  shift
  checks=$((checks + 1))
  if ! "$@"; then
    failures=$((failures + 1))
    printf 'FAILED: %s\n  %s\n  stdout: %s\n  stderr: %s\n  calls: %s\n' "$what" "$*" \
      "$(cat "$work/stdout")" "$(cat "$work/stderr")" "$(grep -v dpkg-query "$work/calls")"
  fi
}
is() { [[ $1 == "$2" ]]; }
says() { grep -qF -- "$2" "$work/$1"; }
silent() { [[ ! -s $work/$1 ]]; }
never() { ! grep -qF -- "$1" "$work/calls"; }

fake() { # fake NAME: the script on stdin, which first notes its call
  { printf '#!/usr/bin/env bash\nprintf "%%s\\n" "%s $*" >>"%s/calls"\n' "$1" "$work"; cat; } \
    >"$bin/$1"
  chmod +x "$bin/$1"
}

fresh_machine() {
  rm -rf -- "$tree" "$bin" "$work/missing"
  mkdir -p -- "$tree" "$bin"
  cp -- "$launcher" "$tree/foreshard"
  local tool
  for tool in bash env dirname readlink mkdir rm cat chmod flock tee grep nproc; do
    ln -s "$(command -v "$tool")" "$bin/$tool"
  done
  : >"$work/calls"
  fake id <<<'echo 0'
  fake dpkg-query <<<"grep -qxF -- \"\${!#}\" '$work/missing' 2>/dev/null || printf installed"
  fake apt-cache <<<'exit 0'
  fake apt-get <<<"case \$* in *install*) rm -f '$work/missing';; esac; echo apt chatter"
  fake cmake <<'CMAKE'
case "$*" in
  "--preset release") mkdir -p build/release && echo rules >build/release/build.ninja ;;
  *" -n") [[ -e "$2/cli/foreshard" ]] && echo "ninja: no work to do." ;;
  --build*)
    echo cmake chatter
    mkdir -p "$2/cli"
    printf '#!/usr/bin/env bash\nprintf "<%%s>" "$@"; [[ $1 == cat ]] && cat; exit 3\n' \
      >"$2/cli/foreshard"
    chmod +x "$2/cli/foreshard" ;;
esac
CMAKE
  fake ctest <<<'echo "100% tests passed, 0 tests failed out of 12"'
}

launch() { # launch ARGS...: into stdout, stderr and code
  code=0
  PATH=$bin "$tree/foreshard" "$@" >"$work/stdout" 2>"$work/stderr" </dev/null || code=$?
}

fresh_machine
launch run "my file.yaml" ''
check "the exit code is the program's" is "$code" 3
check "arguments arrive as they were" is "$(cat "$work/stdout")" "<run><my file.yaml><>"
check "it says that it builds" says stderr "building"
: >"$work/calls"
launch again
check "an up-to-date tree is not configured again" never "cmake --preset"
check "nor built" never " -j "
check "nor are packages looked up" never "dpkg-query"
check "and it says nothing" silent stderr

ln -s "$tree/foreshard" "$work/link"
(cd / && PATH=$bin "$work/link" x >"$work/stdout" 2>"$work/stderr" </dev/null)
check "it works through a link from elsewhere" is "$(cat "$work/stdout")" "<x>"
PATH=$bin "$tree/foreshard" cat >"$work/stdout" 2>"$work/stderr" <<<"words"
check "stdin is the program's" is "$(cat "$work/stdout")" "<cat>words"

fresh_machine
printf 'libfmt-dev\ncatch2\n' >"$work/missing"
PATH=$bin "$tree/foreshard" cat >"$work/stdout" 2>"$work/stderr" <<<"words"
check "missing packages are named" says stderr "installing from Debian's packages: libfmt-dev catch2"
check "and installed" says calls "install -y --no-install-recommends libfmt-dev catch2"
check "package lists are left alone when they know them" never "apt-get -o DPkg::Lock::Timeout=300 update"
check "no chatter on stdout, stdin untouched" is "$(cat "$work/stdout")" "<cat>words"

fresh_machine
echo libfmt-dev >"$work/missing"
fake apt-cache <<<'exit 100'
launch x
check "empty package lists are filled first" says calls "DPkg::Lock::Timeout=300 update"
check "then it goes on" is "$code" 3

fresh_machine
echo libfmt-dev >"$work/missing"
fake apt-get <<<'exit 100'
launch x
check "without a network it ends with 70" is "$code" 70
check "and says what to do" says stderr "apt-get install libfmt-dev"
check "having tried newer lists" says calls "update"
check "stdout stays empty" silent stdout

fresh_machine
echo libfmt-dev >"$work/missing"
fake id <<<'echo 1000'
launch x
check "no root and no sudo is 70" is "$code" 70
check "with a message" says stderr "neither root nor sudo"
fake sudo <<<'[[ $1 == -n ]] && shift; [[ $1 == -- ]] && shift; exec "$@"'
launch x
check "sudo is used when there" says calls "sudo -n -- env DEBIAN_FRONTEND=noninteractive apt-get"
check "and then it works" is "$code" 3

fresh_machine
rm "$bin/dpkg-query"
fake cmake <<<'echo no simgrid; exit 1'
launch x
check "a machine that cannot configure is 70" is "$code" 70
check "with CMake's own words" says stderr "no simgrid"

fresh_machine
launch x
fake cmake <<<'case "$*" in *" -n") echo stale;; *) echo error: syntax; exit 1;; esac'
launch x
check "a build that fails is 70" is "$code" 70
check "with the compiler's words on stderr" says stderr "error: syntax"
check "and nothing on stdout" silent stdout

fresh_machine
launch test -R viz
check "test ends well when all passed" is "$code" 0
check "and with ctest's summary" is "$(tail -n 1 "$work/stdout")" \
  "100% tests passed, 0 tests failed out of 12"
check "arguments go to ctest" says calls "--no-tests=error -R viz"
check "everything is built, headers alone too" says calls "all all_verify_interface_header_sets"
fake ctest <<<'echo "50% tests passed, 1 tests failed out of 2"; exit 8'
launch test
check "a failed test is a failure" is "$code" 8
fake ctest <<<'echo "No tests were found!!!"'
launch test
check "no tests are a failure" is "$code" 1
fake ctest <<<'echo "100% tests passed, 0 tests failed out of 0"'
launch test
check "tests that did not run are a failure" is "$code" 1

echo "$checks checks, $failures failed"
((checks > 0 && failures == 0))
