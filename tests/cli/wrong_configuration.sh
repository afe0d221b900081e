#!/bin/sh
# The configuration that boxes start from is checked like a recipe: the image's own and what
# layers add to it.
. "$(dirname "$0")/lib/common.sh"
make_recipes
mkdir -p recipes/files/base/usr/share/ros/os-config.d
echo 'files: files/base' >>recipes/layers/base.yaml
echo 'rancher: {debug: [1]}' >recipes/files/base/usr/share/ros/os-config.d/base.yml
cat >recipes/os-config.yml <<'END'
rancher:
  shutdown_timeuot: 60
  sysctl: [1]
END
for verb in "image --platform amd64" lint; do
  # shellcheck disable=SC2086
  exits 2 $verb
  says stderr "recipes/files/base/usr/share/ros/os-config.d/base.yml:1:11: rancher.debug must be true or false"
  says stderr "recipes/os-config.yml:2:3: unknown key rancher.shutdown_timeuot"
  says stderr "did you mean shutdown_timeout?"
  says stderr "recipes/os-config.yml:3:3: rancher.sysctl must be a map of names to texts"
  wrote_nothing
done
rm recipes/os-config.yml
exits 2 lint
says stderr "cannot open recipes/os-config.yml: No such file or directory"
echo 'rancher: {debug: true}' >recipes/os-config.yml
echo 'rancher: {debug: false}' >recipes/files/base/usr/share/ros/os-config.d/base.yml
exits 0 lint
