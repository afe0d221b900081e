#!/bin/sh
# Runs one fuzzer over its corpus and for $FUZZ_SECONDS (10) beyond it. What it
# finds interesting is kept below found/, an input that breaks something is
# written beside it; both in the current folder. usage: run.sh PROGRAM CORPUS
set -eu
# Freed memory is not kept for long, or it would count. A search for leaks takes
# minutes: `make asan` does that.
export ASAN_OPTIONS=quarantine_size_mb=16:detect_leaks=0
seconds=${FUZZ_SECONDS:-10}
name=${1##*/fuzz_}
mkdir -p "found/$name"
# libFuzzer looks at its clock between two inputs only; timeout(1) looks at its own.
exec timeout --kill-after=10 "$((seconds + 120))" \
  "$1" -max_total_time="$seconds" -max_len=8192 -timeout=60 -rss_limit_mb=2048 -detect_leaks=0 \
  -close_fd_mask=1 -verbosity=0 -print_final_stats=1 -artifact_prefix="crash-$name-" \
  "found/$name" "$2/$name"
