#!/bin/sh
# Without a lock nothing is built; the message says how to get one.
. "$(dirname "$0")/lib/common.sh"
make_recipes
rm recipes/lock/amd64.lock
for verb in "image --platform amd64" lint; do
  # shellcheck disable=SC2086
  exits 2 $verb
  says stderr 'recipes/lock/amd64.lock'
  says stderr 'rosbuild lock --arch amd64'
done
wrote_nothing
