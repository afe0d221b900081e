#!/bin/sh
# list shows each platform with what it inherits.
. "$(dirname "$0")/lib/common.sh"
make_recipes
cat >platforms/vmware.yaml <<'END'
name: vmware
extends: amd64
description: VMware
+artifacts: [{name: rancheros.iso, format: iso}]
END
exits 0 list
is_exactly stdout "RancherOS 2.0.0

amd64  PC
  layers  base kernel runtime
  vmlinuz    kernel
  disk.vmdk  vmdk, 8 GiB

vmware  VMware
  layers  base kernel runtime
  vmlinuz        kernel
  disk.vmdk      vmdk, 8 GiB
  rancheros.iso  iso"
wrote_nothing
