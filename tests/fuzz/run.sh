#!/bin/sh
# Fuzzes each reader for a while: tests/fuzz/run.sh [SECONDS] [TARGET...]
# Inputs that break something are left in tests/fuzz/found/TARGET, where every build replays them:
# give them a name that says what was wrong.
set -eu
cd "$(dirname "$0")/../.."
seconds=${1:-60}
[ $# -gt 0 ] && shift
[ $# -gt 0 ] || set -- $(sed -n 's/^foreshard_fuzz(\([a-z0-9_]*\)[.]cpp .*/\1/p' tests/fuzz/CMakeLists.txt)
[ -f build/fuzz/build.ninja ] || cmake --preset fuzz
status=0
for target in "$@"; do
  cmake --build --preset fuzz --target "fuzz_$target" > /dev/null
  mkdir -p "build/fuzz/corpus/$target" "tests/fuzz/found/$target"
  echo "== $target"
  "build/fuzz/tests/fuzz/fuzz_$target" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 \
    -max_len=8192 -print_final_stats=1 -artifact_prefix="tests/fuzz/found/$target/" \
    "build/fuzz/corpus/$target" "tests/fuzz/corpus/$target" 2>&1 \
    | grep -E "^(==[0-9]|SUMMARY|stat::number_of|stat::average|stat::peak|.*: bug:|Test unit)" || true
  ls "tests/fuzz/found/$target" | grep -qE "^(crash|timeout|oom|leak)-" && status=1
  rmdir "tests/fuzz/found/$target" 2> /dev/null || true
done
exit $status
