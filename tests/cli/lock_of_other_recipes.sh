#!/bin/sh
# What is taken out of a recipe, or dropped by `without`, is in the lock until that is made anew.
. "$(dirname "$0")/lib/common.sh"
make_recipes
exits 0 lint
for change in 'packages: [bash]' 'packages: [bash, busybox]\nwithout: [libc6]' \
  'packages: [bash, busybox]\nonly: [bash]'; do
  # shellcheck disable=SC2059
  printf "name: base\n$change\n" >recipes/layers/base.yaml
  for verb in "image --platform amd64" lint; do
    # shellcheck disable=SC2086
    exits 2 $verb
    is_exactly stderr "recipes/layers/base.yaml:1:7: recipes/lock/amd64.lock was made for other suites, components, packages, \`without\`, \`only\` or layers below than 'base' has now
  hint: run \`rosbuild lock\`"
  done
done
wrote_nothing
printf 'name: base\npackages: [busybox, bash]\n' >recipes/layers/base.yaml
exits 0 lint

# Packages of another suite, or of one more, are others.
for change in 's/^suites: .*/suites: [forky]/' 's/^components: .*/components: [main, contrib]/'; do
  cp recipes/distribution.yaml kept
  sed -i "$change" recipes/distribution.yaml
  exits 2 lint
  says stderr "recipes/layers/base.yaml:1:7: recipes/lock/amd64.lock was made for other suites, components,"
  mv kept recipes/distribution.yaml
  exits 0 lint
done
