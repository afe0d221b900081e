#!/bin/sh
# --only with a name that no chosen platform has is refused.
. "$(dirname "$0")/lib/common.sh"
make_recipes
exits 2 image --platform amd64 --only vmlinux --only disk.vmdk
is_exactly stderr "unknown artifact 'vmlinux'
  hint: did you mean 'vmlinuz'?"
wrote_nothing
