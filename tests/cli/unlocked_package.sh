#!/bin/sh
# Packages that the lock does not hold are refused where the recipe names them.
. "$(dirname "$0")/lib/common.sh"
make_recipes
printf 'name: base\npackages:\n  - bash\n  - bsuybox\n  - frobnicator\n' >recipes/layers/base.yaml
for verb in "image --platform amd64" lint; do
  # shellcheck disable=SC2086
  exits 2 $verb
  is_exactly stderr "recipes/layers/base.yaml:4:5: package 'bsuybox' is not in recipes/lock/amd64.lock
  hint: did you mean 'busybox'? Otherwise \`rosbuild lock\` adds it, if it exists
recipes/layers/base.yaml:5:5: package 'frobnicator' is not in recipes/lock/amd64.lock
  hint: \`rosbuild lock\` adds it, if it exists"
done
wrote_nothing

# Of another layer's section, or the tools', it would silently not be in this one; one below counts.
printf 'name: base\npackages: [bash, busybox, mtools]\n' >recipes/layers/base.yaml
printf 'name: runtime\nruntime: true\npackages: [bash]\n' >recipes/layers/runtime.yaml
for verb in "image --platform amd64" lint; do
  # shellcheck disable=SC2086
  exits 2 $verb
  is_exactly stderr "recipes/layers/base.yaml:2:27: package 'mtools' is in recipes/lock/amd64.lock, but not for this layer
  hint: \`rosbuild lock\` adds it"
done
wrote_nothing
