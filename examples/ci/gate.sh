#!/bin/sh
# gate.sh: fails when this commit got slower. For any CI that can run a shell script, from inside the repository.
#
#   gate.sh ab [BASE]         builds the commit BASE (default: origin/main) beside this one, and runs the two in turn
#   gate.sh check [FOLDER]    measures this one and holds it against the runs in FOLDER (default: baselines); adds the
#                             run to them unless it is slower, so that the folder becomes a history
#
# Environment, all optional:
#   SUITE      what to measure: `benchmark suites` (default: gate; of check: quick)
#   SELECT     what of it, such as `--device gpu` or `--backend opencl`
#   BUDGET     seconds for an A/B comparison (default: 300)
#   FORMAT     of the report: `benchmark help check` (default: text)
#   REPORT     file that gets a copy of the report, such as $GITHUB_STEP_SUMMARY (it is appended to) or gate.xml
#   OPTIONS    more options, such as --fail-on-inconclusive
#   KEEP       folder that gets old.json and new.json, or this run's results (default: gate-results)
# Exit codes are the program's: 0 not slower, 1 slower, 2 something is wrong, 3 open (--fail-on-inconclusive), 4 rows are
# missing or cannot be compared.
set -eu

die() {
    printf 'gate.sh: %s\n' "$1" >&2
    exit 2
}

mode=${1-}
keep=${KEEP:-gate-results}
format=${FORMAT:-text}
head=$(git rev-parse --show-toplevel 2>/dev/null) ||
    die "this is no git repository: call it from inside the one to be judged"
base_tree=
report=$(mktemp)

# shellcheck disable=SC2317 # the trap calls it
clean() {
    rm -f "$report"
    [ -n "$base_tree" ] || return 0
    git -C "$head" worktree remove --force "$base_tree"
    rmdir "${base_tree%/base}"
}
trap clean EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# Installs what is missing, builds, and prints the program's path.
build() {
    "$1/run" --help >/dev/null
    printf '%s\n' "$1/build/release/bin/benchmark"
}

# Shows the report and ends as the gate did.
finish() {
    cat "$report"
    [ -z "${REPORT-}" ] || cat "$report" >>"$REPORT"
    exit "$1"
}

case $mode in
ab)
    base=${2:-origin/main}
    git -C "$head" rev-parse --quiet --verify "$base^{commit}" >/dev/null ||
        die "there is no commit $base here: name another, or fetch it (a shallow clone lacks it)"
    base_tree=$(mktemp -d)/base
    git -C "$head" worktree add --quiet --detach "$base_tree" "$base"
    old=$(build "$base_tree")
    new=$(build "$head")
    suite=${SUITE:-gate}
    if [ "$suite" = gate ] && [ -f "$head/bench/suites/gate.json" ]; then
        suite=$head/bench/suites/gate.json # both measure the same, whatever suites the older one has
    fi
    rm -f "$keep/old.json" "$keep/new.json"
    code=0
    # shellcheck disable=SC2086 # the variables are lists of words
    "$new" ab --budget "${BUDGET:-300}" --output "$keep" --format "$format" ${OPTIONS-} -- \
        "$old" run --suite "$suite" ${SELECT-} --vs "$new" run --suite "$suite" ${SELECT-} >"$report" || code=$?
    finish "$code"
    ;;
check)
    baselines=${2:-baselines}
    new=$(build "$head")
    now=$(date -u +%Y%m%dT%H%M%SZ)
    mkdir -p "$keep" "$baselines"
    # shellcheck disable=SC2086 # SELECT is a list of words
    "$new" run --suite "${SUITE:-quick}" ${SELECT-} --quiet --output "$keep/$now.json" >/dev/null
    code=0
    if ls "$baselines"/*.json >/dev/null 2>&1; then
        # shellcheck disable=SC2086 # OPTIONS is a list of words
        "$new" check --baseline "$baselines" --format "$format" ${OPTIONS-} "$keep/$now.json" >"$report" || code=$?
    else
        echo "gate.sh: $baselines was empty: this run is the first of the history" >&2
    fi
    # A slower run must not become what later ones are held against; new rows (4) may.
    case $code in
    0 | 3 | 4) cp "$keep/$now.json" "$baselines/" ;;
    esac
    finish "$code"
    ;;
*)
    echo "usage: gate.sh ab [BASE] | gate.sh check [FOLDER]" >&2
    exit 2
    ;;
esac
