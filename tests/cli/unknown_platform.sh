#!/bin/sh
# An unknown platform is refused with a suggestion, and nothing is written.
. "$(dirname "$0")/lib/common.sh"
make_recipes
exits 2 image --platform amd46
is_exactly stderr "unknown platform 'amd46'
  hint: did you mean 'amd64'?"
wrote_nothing
