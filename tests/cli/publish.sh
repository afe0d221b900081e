#!/bin/sh
# publish checks what was built, and signs it so that ssh-keygen agrees.
. "$(dirname "$0")/lib/common.sh"
make_recipes

# artifact PLATFORM NAME TEXT
artifact() {
  mkdir -p "out/$1/$(dirname "$2")"
  printf '%s' "$3" >"out/$1/$2"
}
# release PLATFORM VERSION: three small files and an index
release() {
  index="version $2
platform $1
title RancherOS
cmdline quiet"
  for file in kernel:$2/vmlinuz initrd:$2/initrd layer:layers/base.squashfs; do
    artifact "$1" "release/${file#*:}" "$file"
    digest=$(printf '%s' "$file" | sha256sum | cut -d' ' -f1)
    index="$index
file ${file%%:*} ${file#*:} ${#file} $digest"
  done
  artifact "$1" release/index "$index
"
}
sums() {
  (cd "out/$1" && rm -f checksums.txt && find . -type f | cut -c3- | sort | xargs sha256sum >../sums && mv ../sums checksums.txt)
}

exits 2 publish
says stderr "out has no folder with a checksums.txt"

for platform in amd64 vmware; do
  artifact $platform version.txt "2.0.0
"
done
artifact amd64 rancheros.iso "an iso"
release amd64 2.0.0
sums amd64
artifact vmware rancheros.vmdk "a disk"
artifact vmware release/index "" # of no version
sums vmware
exits 0 publish
is_exactly stdout "RancherOS 2.0.0: 2 platforms, not signed"
[ "$(cat out/latest)" = 2.0.0 ] || fail "latest is not 2.0.0"
xmllint --html --noout out/index.html 2>stderr || fail "index.html is not HTML"
for text in "<h1>RancherOS 2.0.0</h1>" 'href="amd64/rancheros.iso"' "<td>6 B</td>" "PC (" \
  "$(printf '%s' 'an iso' | sha256sum | cut -d' ' -f1)" '<h2 id="vmware">'; do
  grep -qF -- "$text" out/index.html || fail "index.html lacks $text"
done
! grep -q "release/2.0.0\|version.txt" out/index.html || fail "index.html lists what is for boxes"
! grep -qi "http:\|https:\|<script" out/index.html || fail "index.html asks for something from elsewhere"
[ ! -e out/amd64/checksums.txt.sig ] || fail "signed without a key"

exits 2 publish --sign key
says stderr "there is no key key"
ssh-keygen -q -t ed25519 -N '' -C me -f key
exits 0 publish --sign key
says stdout "signed by $(cut -d' ' -f1,2 key.pub)"
exits 0 publish --sign key # once more: over its own signatures
echo "us $(cat key.pub)" >signers
signed() { # FILE NAMESPACE
  ssh-keygen -q -Y verify -f signers -I us -n "$2" -s "$1.sig" <"$1" >stdout 2>&1
}
signed out/amd64/checksums.txt file || fail "amd64/checksums.txt is not signed"
signed out/vmware/checksums.txt file || fail "vmware/checksums.txt is not signed"
signed out/amd64/release/index rancheros-release || fail "the index is not signed"
! signed out/amd64/release/index file || fail "a signature serves for another purpose"
says out/index.html "Signed by <code>ssh-ed25519 "
exits 0 verify out/amd64/release

# A changed artifact, a missing one and another version are all told, and nothing is signed.
rm out/*/*.sig out/*/release/index.sig out/latest out/index.html
printf 'An iso' >out/amd64/rancheros.iso
rm out/vmware/rancheros.vmdk
release vmware 2.1.0
exits 2 publish --sign key
says stderr "out/amd64/rancheros.iso is not what checksums.txt says"
says stderr "out/vmware/rancheros.vmdk is not what checksums.txt says"
says stderr "out/vmware/release/index says version '2.1.0', the recipes say '2.0.0'"
nothing_published() {
  [ -z "$(find out -name '*.sig' -o -name latest -o -name index.html)" ] || fail "something was published"
}
nothing_published

# Whole, but of other recipes, or of nobody knows which.
rm -r out/vmware/release
artifact amd64 rancheros.iso "an iso"
artifact vmware rancheros.vmdk "a disk"
sums vmware
exits 0 publish
rm -r out/latest out/index.html out/amd64
sed -i 's/^version: .*/version: 2.1.0/' recipes/distribution.yaml
exits 2 publish --sign key
says stderr "out/vmware/version.txt says version '2.0.0', the recipes say '2.1.0'"
nothing_published
rm out/vmware/version.txt
sums vmware
exits 2 publish --sign key
says stderr "out/vmware/version.txt says version '', the recipes say '2.1.0'"
nothing_published
