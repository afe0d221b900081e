#!/bin/sh
# Without init and ros for its architecture no platform is built; the message says how to get them.
. "$(dirname "$0")/lib/common.sh"
make_recipes
sed 's/^name: .*/name: arm64/; s/^arch: .*/arch: arm64/' platforms/amd64.yaml >platforms/arm64.yaml
sed '/^\[tools /,$d; s/ amd64 / arm64 /' recipes/lock/amd64.lock >recipes/lock/arm64.lock
cp "$ROSBUILD" rosbuild
# shellcheck disable=SC2154
ROSBUILD=$scratch/rosbuild
exits 1 image --platform arm64
says stderr 'init and ros for arm64'
says stderr '`make arm64` builds them'
exits 1 image --platform all --arch amd64
says stderr 'init and ros for amd64'
[ ! -e out ] || fail "out/ was made"

# The tools are amd64's, whatever is built.
rm recipes/lock/amd64.lock
exits 2 image --platform arm64
says stderr 'rosbuild lock --arch amd64'
