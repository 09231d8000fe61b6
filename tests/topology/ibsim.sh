#!/bin/sh
# Simulates a SuperPOD-like unit (32 hosts x 8 rails, 8 leaves, 4 spines, 8 cables from each leaf to
# each spine) with ibsim, runs the real ibnetdiscover and iblinkinfo on it, and has topology_test
# read what they print. Exit 77: the tools are not installed.
#   ibsim.sh TOPOLOGY_TEST
set -eu
PATH=$PATH:/usr/sbin
sim=$(find /usr/lib -name libumad2sim.so 2>/dev/null | head -n 1)
for tool in ibsim ibnetdiscover iblinkinfo; do
  command -v "$tool" >/dev/null || { echo "SKIP: $tool is not installed"; exit 77; }
done
[ -n "$sim" ] || { echo "SKIP: libumad2sim is not installed"; exit 77; }

folder=$(mktemp -d)
export IBSIM_SOCKNAME="foreshard-$$"
awk 'BEGIN {
  for (r = 0; r < 8; ++r) {
    printf "Switch\t64 \"S-leaf-%d\"\t# \"leaf-%d\" base port 0 lid 0 lmc 0\n", r, r
    for (h = 0; h < 32; ++h) printf "[%d]\t\"H-%d-%d\"[1]\t# \"x\" lid 0 4xHDR\n", h + 1, h, r
    for (s = 0; s < 4; ++s)
      for (k = 0; k < 8; ++k)
        printf "[%d]\t\"S-spine-%d\"[%d]\t# \"x\" lid 0 4xHDR\n", 33 + 8 * s + k, s, 8 * r + k + 1
    printf "\n"
  }
  for (s = 0; s < 4; ++s) {
    printf "Switch\t64 \"S-spine-%d\"\t# \"spine-%d\" base port 0 lid 0 lmc 0\n", s, s
    for (r = 0; r < 8; ++r)
      for (k = 0; k < 8; ++k)
        printf "[%d]\t\"S-leaf-%d\"[%d]\t# \"x\" lid 0 4xHDR\n", 8 * r + k + 1, r, 33 + 8 * s + k
    printf "\n"
  }
  for (h = 0; h < 32; ++h)
    for (r = 0; r < 8; ++r)
      printf "Ca\t1 \"H-%d-%d\"\t# \"dgx-%02d mlx5_%d\"\n[1]\t\"S-leaf-%d\"[%d]\t# \"x\" lid 0 4xHDR\n\n", h, r, h, r, r, h + 1
}' >"$folder/net"
# The tools wait for ever where ibsim is not there, hence the limits.
timeout 60 ibsim -n -s "$folder/net" >"$folder/log" 2>&1 </dev/null &
simulator=$!
trap 'kill "$simulator" 2>/dev/null; rm -rf "$folder"' EXIT
for try in 1 2 3 4 5 6 7 8 9 10; do
  grep -q "simulator ready" "$folder/log" 2>/dev/null && break
  sleep 1
done
run() { LD_PRELOAD="$sim" timeout 20 "$@" 2>/dev/null; }
run ibnetdiscover >"$folder/ibnetdiscover"
run iblinkinfo -l >"$folder/iblinkinfo"
FORESHARD_IBSIM="$folder" "$1" "what the real InfiniBand tools print of a SuperPOD-like unit is read"
