#!/bin/sh
# A layer or a format of another architecture, and names that cannot both be files, are refused
# before any work, with their places.
. "$(dirname "$0")/lib/common.sh"
make_recipes
cat >recipes/layers/drivers.yaml <<'END'
name: drivers
arch: arm64
packages: [bash]
END
cat >recipes/layers/odd.yaml <<'END'
name: odd
arch: amd46
END
cat >platforms/amd64.yaml <<'END'
name: amd64
description: PC
arch: amd64
layers: [base, kernel, drivers, runtime]
artifacts:
  - {name: release, format: release}
  - {name: release/index, format: kernel}
END
cat >platforms/board.yaml <<'END'
name: board
description: Board
arch: arm64
layers: [base, drivers, kernel, runtime]
artifacts:
  - {name: board.ova, format: ova, size: 8GiB}
END
printf 'name: heir\nextends: amd64\ndescription: H\n' >platforms/heir.yaml
exits 2 lint
says stderr "recipes/layers/odd.yaml:2:7: unknown architecture 'amd46'
  hint: did you mean 'amd64'?"
rm recipes/layers/odd.yaml
sed -i 's/^name: kernel$/&\narch: amd64/' recipes/layers/kernel.yaml
exits 2 image --platform amd64
is_exactly stderr "platforms/amd64.yaml:4:24: layer 'drivers' is for arm64, this platform is amd64
platforms/amd64.yaml:7:12: artifact 'release/index' would lie in artifact 'release' of line 6
platforms/board.yaml:4:25: layer 'kernel' is for amd64, this platform is arm64
platforms/board.yaml:6:31: format 'ova' is for amd64, this platform is arm64
  hint: no firmware of the platform's machines boots it"
wrote_nothing
