#!/bin/sh
# Artifacts that cannot be made are refused before any work, all at once.
. "$(dirname "$0")/lib/common.sh"
make_recipes
cat >platforms/amd64.yaml <<'END'
name: amd64
description: PC
arch: amd64
layers: [base]
artifacts:
  - {name: vmlinuz, format: kernel, cmdline: [quiet], size: 1GiB}
  - {name: none.vmdk, format: vmdk}
  - {name: small.vmdk, format: vmdk, size: 64MiB}
  - {name: odd.vmdk, format: vmdk, size: 2000000001}
  - {name: huge.vmdk, format: vmdk, size: 3TiB}
  - {name: huge.vhd, format: vhd-fixed, size: 2041GiB}
  - {name: odd.tar.gz, format: gce, size: 1500MiB}
  - {name: lonely.ipxe, format: ipxe, cmdline: [quiet]}
END
printf 'name: heir\nextends: amd64\ndescription: H\n' >platforms/heir.yaml
printf 'name: empty\ndescription: E\narch: amd64\nlayers: [base, kernel, runtime]\n' \
  >platforms/empty.yaml
exits 2 image --platform amd64
is_exactly stderr "platforms/amd64.yaml:1:7: no layer of platform 'amd64' has a kernel
  hint: add one whose recipe has the key 'kernel'
platforms/amd64.yaml:1:7: no layer of platform 'amd64' has the runtime
  hint: add one whose recipe says runtime: true
platforms/amd64.yaml:13:12: artifact 'lonely.ipxe' starts an artifact of format 'initrd', and there is none
platforms/amd64.yaml:6:61: format 'kernel' takes no size
platforms/amd64.yaml:6:47: format 'kernel' holds no kernel command line
  hint: it is for those with a boot loader: iso, ipxe and disk images
platforms/amd64.yaml:7:12: artifact 'none.vmdk' has no 'size'
  hint: disk images need one, as size: 8GiB
platforms/amd64.yaml:8:44: a disk of 64 MiB is too small, 1024 MiB are the least
  hint: it holds two versions of the system, and the state
platforms/amd64.yaml:9:42: a disk of 2000000001 bytes is not whole MiB
platforms/amd64.yaml:10:43: a disk of 3145728 MiB is too large
  hint: 2048GiB is the most for vmdk
platforms/amd64.yaml:11:47: a disk of 2089984 MiB is too large
  hint: 2040GiB is the most for vhd-fixed
platforms/amd64.yaml:12:43: a disk of 1500 MiB is not whole GiB
  hint: Google's cloud takes no other; 2GiB is next
platforms/empty.yaml:1:7: platform 'empty' has no artifacts
platforms/heir.yaml:1:7: no layer of platform 'heir' has a kernel
  hint: add one whose recipe has the key 'kernel'
platforms/heir.yaml:1:7: no layer of platform 'heir' has the runtime
  hint: add one whose recipe says runtime: true"
wrote_nothing
