#!/bin/sh
# --help, with examples, and --version go to standard output and need no recipes.
. "$(dirname "$0")/lib/common.sh"
exits 0 --help
says stdout "rosbuild image --platform vmware"
for verb in image lock list lint boot verify; do
  says stdout "  $verb "
done
[ ! -s stderr ] || fail "help on standard error"
for verb in image lock list lint boot verify; do
  exits 0 "$verb" --help
  says stdout "Usage: rosbuild $verb"
done
exits 0 help image
says stdout "--compress fast|release"
exits 0 --version
says stdout "rosbuild 2."
wrote_nothing
