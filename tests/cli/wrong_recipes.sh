#!/bin/sh
# What is wrong in several recipes is said at once, with places, before anything is written.
. "$(dirname "$0")/lib/common.sh"
make_recipes
cat >recipes/layers/base.yaml <<'END'
name: base
pakages: [bash]
files: files/none
END
cat >platforms/amd64.yaml <<'END'
name: amd64
description: PC
arch: amd64
layers: [base, kernle, runtime]
artifacts: {vmlinuz: kernel}
END
for verb in "image --platform amd64" lint list lock; do
  # shellcheck disable=SC2086
  exits 2 $verb
  [ ! -s stdout ] || fail "$verb: an answer in spite of problems"
  says stderr "recipes/layers/base.yaml:3:8: there is no folder 'recipes/files/none'
recipes/layers/base.yaml:2:1: unknown key 'pakages' in layer
  hint: did you mean 'packages'?
platforms/amd64.yaml:5:12: expected a list, found a map
platforms/amd64.yaml:4:16: unknown layer 'kernle'
  hint: did you mean 'kernel'?"
  wrote_nothing
done
