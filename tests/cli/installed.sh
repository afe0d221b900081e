#!/bin/sh
# An installed rosbuild finds the recipes that were installed with it, from any folder.
. "$(dirname "$0")/lib/common.sh"
mkdir -p prefix/bin prefix/share/rosbuild
cp "$ROSBUILD" prefix/bin/rosbuild
(cd prefix/share/rosbuild && make_recipes)
cd /
# shellcheck disable=SC2154
ROSBUILD=$scratch/prefix/bin/rosbuild
"$ROSBUILD" list >"$scratch/stdout" 2>"$scratch/stderr" || status=$?
cd "$scratch" || exit 1
[ "${status:-0}" = 0 ] || fail "rosbuild list"
says stdout "RancherOS 2.0.0"
