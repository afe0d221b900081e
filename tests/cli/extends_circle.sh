#!/bin/sh
# Platforms that extend each other are refused with every place involved.
. "$(dirname "$0")/lib/common.sh"
make_recipes
printf 'name: a\nextends: b\ndescription: A\n' >platforms/a.yaml
printf 'name: b\nextends: a\ndescription: B\n' >platforms/b.yaml
exits 2 image --platform a
is_exactly stderr "platforms/a.yaml:2:10: platforms extend each other in a circle: a -> b -> a
  platforms/a.yaml:2:10: 'a' extends 'b'
  platforms/b.yaml:2:10: 'b' extends 'a'"
wrote_nothing
