#!/bin/sh
# The recipes, platforms and locks of this project are without problems.
. "$(dirname "$0")/lib/common.sh"
exits 0 lint --recipes "$SOURCE_DIR"
says stdout "no problems"
wrote_nothing
