#!/bin/sh
# lock is for every architecture that a platform has, unless one is named.
. "$(dirname "$0")/lib/common.sh"
make_recipes
sed 's/name: amd64/name: board/; s/arch: amd64/arch: arm64/' platforms/amd64.yaml >platforms/board.yaml
exits 1 lock --mirror file:///none/debian
says stderr "recipes/lock/amd64.lock fits the recipes"
says stderr "while fetching the package indices of arm64 from file:///none/debian"
[ ! -e recipes/lock/arm64.lock ] || fail "a lock was made of nothing"
exits 0 lock --arch amd64 --mirror file:///none/debian
exits 1 lock --arch amd64 --update --mirror file:///none/debian
says stderr "while fetching the package indices of amd64 from file:///none/debian"
exits 2 lock --arch riscv64
is_exactly stderr "rosbuild: no platform has architecture riscv64"

# The tools are those of amd64 for every platform.
rm platforms/amd64.yaml recipes/lock/amd64.lock
exits 1 lock --mirror file:///none/debian
says stderr "indices of amd64"
