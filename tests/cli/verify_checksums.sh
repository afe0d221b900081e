#!/bin/sh
# verify holds every file against the list beside it: changed ones, absent ones, those in folders below.
. "$(dirname "$0")/lib/common.sh"
mkdir -p out/amd64/below
printf '#!ipxe\nkernel a\ninitrd b\n' >out/amd64/rancheros.ipxe
cp out/amd64/rancheros.ipxe out/amd64/below/other.ipxe
touch out/amd64/a out/amd64/b
(cd out/amd64 && sha256sum rancheros.ipxe below/other.ipxe >checksums.txt)
exits 0 verify out/amd64/rancheros.ipxe
exits 1 verify out/amd64 # a and b are nothing that it knows
says stdout "checksums.txt: digests of 2 files"
! grep -q "is not what\|is not there" stdout || fail "a fault where there is none"

echo "# changed" | tee -a out/amd64/rancheros.ipxe >>out/amd64/below/other.ipxe
exits 1 verify out/amd64/rancheros.ipxe
says stdout "wrong: rancheros.ipxe is not what checksums.txt says"
! grep -q "below" stdout || fail "asked for one file, told of another"
exits 1 verify out/amd64
says stdout "wrong: rancheros.ipxe is not what checksums.txt says"
says stdout "wrong: below/other.ipxe is not what checksums.txt says"
rm out/amd64/rancheros.ipxe
exits 1 verify out/amd64
says stdout "wrong: rancheros.ipxe is not there"
