# What every test here starts with: `. "$(dirname "$0")/lib/common.sh"`.
#
# ROSBUILD is the program under test, SOURCE_DIR the checkout. The test runs in
# an empty folder, with its own cache and without any recipes or mirror from outside.
# shellcheck shell=sh
set -eu
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
cd "$scratch"
export XDG_CACHE_HOME="$scratch/cache" HOME="$scratch"
unset ROSBUILD_RECIPES ROSBUILD_MIRROR

fail() {
  echo "FAILED: $*" >&2
  for stream in stdout stderr; do
    if [ -s "$stream" ]; then
      echo "--- $stream:" >&2
      cat "$stream" >&2
    fi
  done
  exit 1
}

# exits STATUS ARGUMENT...: runs rosbuild; its output is then in ./stdout and ./stderr.
exits() {
  expected=$1
  shift
  status=0
  "$ROSBUILD" "$@" >stdout 2>stderr || status=$?
  [ "$status" = "$expected" ] || fail "rosbuild $*: exit status $status, not $expected"
}

# says STREAM TEXT: the text is part of ./stdout or ./stderr, line breaks included.
says() {
  case "$(cat "$1")" in
    *"$2"*) ;;
    *) fail "$1 lacks: $2" ;;
  esac
}

# is_exactly STREAM TEXT
is_exactly() {
  [ "$(cat "$1")" = "$2" ] || fail "$1 is not: $2"
}

# No artifact, no cache, nothing beside what the test made itself.
wrote_nothing() {
  [ ! -e out ] || fail "out/ was made"
  [ ! -e cache ] || fail "a cache was made"
}

# What the lock says of a section for these packages, with nothing below.
asked() {
  printf 'packages %s\nwithout \nonly \nbelow \nsuites trixie\ncomponents main\n' "$1" | sha256sum | cut -c 1-16
}

# A small root of recipes that is right in every way, with a lock, in the current folder.
make_recipes() {
  mkdir -p recipes/layers recipes/lock platforms kernel-configs
  cat >recipes/distribution.yaml <<'END'
name: rancheros
title: RancherOS
version: 2.0.0
epoch: 1767225600
suites: [trixie]
components: [main]
tools: [mtools]
END
  cat >recipes/layers/base.yaml <<'END'
name: base
packages: [bash, busybox]
END
  cat >recipes/layers/kernel.yaml <<'END'
name: kernel
kernel: {package: linux-image-amd64, modules: [], early: [], config: []}
END
  cat >recipes/layers/runtime.yaml <<'END'
name: runtime
runtime: true
END
  cat >platforms/amd64.yaml <<'END'
name: amd64
description: PC
arch: amd64
layers: [base, kernel, runtime]
artifacts:
  - {name: vmlinuz, format: kernel}
  - {name: disk.vmdk, format: vmdk, size: 8GiB}
END
  echo 'rancher: {debug: false}' >recipes/os-config.yml
  digest=$(printf '%064d' 0)
  {
    for package in base/bash base/busybox kernel/linux-image-amd64 tools/mtools; do
      section=${package%/*}
      name=${package#*/}
      case $package in
        base/bash) echo "[base $(asked 'bash busybox')]" ;;
        base/*) ;;
        *) echo "[$section $(asked "$name")]" ;;
      esac
      echo "$name 1.0-1 amd64 debian pool/main/x/$name/${name}_1.0-1_amd64.deb 1 $digest"
    done
  } >recipes/lock/amd64.lock
}
