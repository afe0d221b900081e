#!/bin/sh
# Wrong command lines exit 2 with a suggestion.
. "$(dirname "$0")/lib/common.sh"
make_recipes
exits 2
says stderr "no verb given"
exits 2 imgae
is_exactly stderr "rosbuild: unknown verb 'imgae'
  hint: did you mean 'image'?"
exits 2 image --platfrom amd64
is_exactly stderr "rosbuild: unknown option '--platfrom'
  hint: did you mean '--platform'?"
exits 2 image
says stderr "--platform is missing"
exits 2 image --platform
says stderr "--platform"
exits 2 image --platform amd64 vmware
says stderr "unexpected word 'vmware'"
exits 2 image --platform amd64 --jobs many
says stderr "--jobs wants a whole number from 1 to 256, not 'many'"
exits 2 image --platform amd64 --jobs 0
exits 2 image --platform amd64 --cache-limit 10GB
says stderr "--cache-limit wants a whole number from 1 to 1048576, not '10GB'"
exits 2 image --platform amd64 --compress best
says stderr "--compress wants fast or release, not 'best'"
exits 2 list -- -x
says stderr "\`rosbuild boot\` only"
exits 2 boot
exits 2 boot x --port-forward 22
says stderr "--port-forward wants HOST:GUEST, not '22'"
exits 2 boot x --port-forward 70000:22
exits 2 boot x --firmware efi
says stderr "--firmware wants bios or uefi or secure-boot, not 'efi'"
exits 2 boot x --memory lots
wrote_nothing
