#!/bin/sh
# neighbour.sh [PROGRAM [benchmark run options]]: does contamination control see a busy neighbour? Measures twice,
# alone and beside a process that burns one of our CPUs, and prints how much is tagged in each, and which rows of the two
# disagree. By hand, on a quiet machine. Wanted: without the neighbour fewer than 1 row in 20 is flagged, with it rows are,
# at least those that disagree.
set -eu
root=$(dirname "$(readlink -f "$0")")/../..
program=${1:-$root/build/release/bin/benchmark}
[ $# -eq 0 ] || shift
[ $# -gt 0 ] || set -- --suite quick --budget 60
folder=$(mktemp -d)
burner=
clean_up() {
    [ -z "$burner" ] || kill "$burner"
    rm -rf "$folder"
}
trap clean_up EXIT
trap 'exit 130' INT TERM

measure() {
    printf '%s: load %s\n' "$1" "$(cut -d ' ' -f 1 /proc/loadavg)"
    file=$folder/$1.json
    shift
    "$program" run "$@" --quiet --output "$file" >"$folder/table" || cat "$folder/table"
    python3 - "$file" <<'PYTHON'
import json
import sys

report = json.load(open(sys.argv[1]))
rows = [row for row in report["results"] if row["rounds"]]
rounds = [flag for row in rows for flag in ([r["flags"] for r in row["rounds"]])]
for flag in ("contaminated", "throttled"):
    tagged = sum(flag in flags for flags in rounds)
    print(f"  {flag}: {tagged} of {len(rounds)} rounds ({100 * tagged / max(1, len(rounds)):.1f} %),",
          f"{sum(flag in row['flags'] for row in rows)} of {len(rows)} rows")
for sensor in report["host"]["environment"]["sensors"]:
    if sensor["available"]:
        print(f"  {sensor['name']}: {sensor['tagged']} of {sensor['checked']} blocks", sensor["detail"] or "")
PYTHON
}

measure alone "$@"
# The last CPU that we may use.
cpu=$(sed -n 's/^Cpus_allowed_list:.*[^0-9]\([0-9][0-9]*\)$/\1/p' /proc/self/status)
taskset -c "$cpu" sh -c 'while :; do :; done' &
burner=$!
measure neighbour "$@"
kill "$burner"
burner=
python3 "$root/tests/perf/stability.py" --files "$folder/alone.json" "$folder/neighbour.json" | sed -n '/^runs/,$p'
