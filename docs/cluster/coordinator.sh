#!/bin/sh
# A coordinator that may be stopped and started again: begins the run in the directory that is named first, or goes on with it. The other
# arguments are those of `pseudolabel train`, the same each time.
set -eu
run=$1
shift
if [ -e "$run/config.json" ]; then way=--resume; else way=--out; fi
exec pseudolabel train "$way" "$run" "$@"
