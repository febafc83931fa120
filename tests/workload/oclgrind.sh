#!/bin/sh
# Runs a program under Oclgrind; fails when the program does or when Oclgrind has anything to say. Optimisation is
# off because Oclgrind 21.10 does not know the `freeze` instructions that it brings.
# usage: oclgrind.sh LOG PROGRAM [ARGUMENT]...     exit 77: no Oclgrind
set -u
command -v oclgrind >/dev/null || { echo "no oclgrind: apt-get install oclgrind"; exit 77; }
log=$1
shift
rm -f "$log"
oclgrind --data-races --uninitialized --max-errors 5 --build-options "-cl-opt-disable" --log "$log" "$@"
status=$?
if [ -s "$log" ]; then
    cat "$log"
    exit 1
fi
exit $status
