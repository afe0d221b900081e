#!/bin/sh
# Recipes come from --recipes, then ROSBUILD_RECIPES, then the current folder;
# a name that holds none is refused rather than passed over.
. "$(dirname "$0")/lib/common.sh"
for place in option variable here; do
  mkdir "$place"
  (cd "$place" && make_recipes && sed -i "s/^title: .*/title: From-$place/" recipes/distribution.yaml)
done
cd here || exit 1
exits 0 list
says stdout "From-here 2.0.0"
export ROSBUILD_RECIPES="$scratch/variable"
exits 0 list
says stdout "From-variable 2.0.0"
exits 0 list --recipes ../option
says stdout "From-option 2.0.0"
exits 0 --recipes ../option list
says stdout "From-option 2.0.0"
exits 2 list --recipes ../option/recipes
says stderr "did you mean the folder above it, '../option'?"
export ROSBUILD_RECIPES=/nonexistent
exits 2 list
says stderr "ROSBUILD_RECIPES names '/nonexistent'"
