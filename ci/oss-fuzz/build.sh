#!/bin/bash -eu
# projects/mapcheck/build.sh of OSS-Fuzz. What is to be done is in the checkout, so that it changes with it.
exec bash -eu "$SRC/mapcheck/ci/clusterfuzzlite/build.sh"
