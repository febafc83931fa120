# Sourced by ./run and ./test, which set `me` (for messages) and `root` (the repository). POSIX sh.
# Progress goes to standard error in short lines; the full output of apt and of the build to build/*.log.
# shellcheck shell=sh
# shellcheck disable=SC2154 # me and root

say() { printf '%s: %s\n' "$me" "$*" >&2; }

die() {
    code=$1
    shift
    say "$*"
    exit "$code"
}

# One process prepares at a time. The caller lets go with: exec 9>&-
prepare_lock() {
    if ! (mkdir -p "$root/build" && : >>"$root/build/lock") 2>/dev/null; then
        die 2 "$root/build cannot be written by $(id -un): go on as its owner, or remove it"
    fi
    exec 9>>"$root/build/lock"
    flock -n 9 && return
    say "another build is running in $root/build, waiting for it"
    flock 9
}

sign_is_there() {
    case $1 in
    command:*) command -v "${1#*:}" >/dev/null 2>&1 ;;
    pkg-config:*) pkg-config --exists "${1#*:}" 2>/dev/null ;;
    python:*) python3 -c 'import sys, importlib.util as u; sys.exit(u.find_spec(sys.argv[1]) is None)' \
        "${1#*:}" 2>/dev/null ;;
    file:*)
        # The pattern expands here; unmatched, it stays a name that does not exist.
        for file in ${1#*:}; do [ -e "$file" ] && return; done
        return 1
        ;;
    *) return 1 ;;
    esac
}

# missing_packages SET...: the packages of these sets that are not there, on one line.
missing_packages() {
    wanted=
    while read -r set package sign; do
        case " $* " in *" $set "*) wanted="$wanted $package" ;; esac
    done <"$root/cmake/packages.list"
    # shellcheck disable=SC2086 # a list of words
    installed=$(dpkg-query -W -f '${Package} ${db:Status-Status}\n' $wanted 2>/dev/null) || :
    missing=
    while read -r set package sign; do
        case " $* " in *" $set "*) ;; *) continue ;; esac
        case "
$installed
" in *"
$package installed
"*) continue ;; esac
        sign_is_there "$sign" || missing="$missing $package"
    done <"$root/cmake/packages.list"
    printf '%s' "${missing# }"
}

# Waits for another apt, never asks, never reads the terminal.
apt_get() {
    # shellcheck disable=SC2086 # as_root is empty or two words
    $as_root env LC_ALL=C DEBIAN_FRONTEND=noninteractive apt-get -q -o DPkg::Lock::Timeout=300 \
        -o Acquire::Retries=2 "$@" </dev/null >>"$log" 2>&1
}

# Fresh package lists are fetched only when the ones at hand do not serve.
apt_install() {
    apt_get install -y --no-install-recommends "$@" && return
    apt_get update || :
    apt_get install -y --no-install-recommends "$@"
}

# Sets as_root to what makes a command root's; fails where there is no way.
find_root() {
    if [ "$(id -u)" -eq 0 ]; then
        as_root=
    elif command -v sudo >/dev/null 2>&1 && sudo -n true </dev/null 2>/dev/null; then
        as_root='sudo -n'
    else
        return 1
    fi
}

# install_packages SET...: what is missing of these sets, by apt.
install_packages() {
    missing=$(missing_packages "$@")
    [ -n "$missing" ] || return 0
    command -v apt-get >/dev/null 2>&1 ||
        die 2 "missing, and there is no apt-get to install them; these are Debian's names: $missing"
    if ! find_root; then
        say "packages are missing, and this is neither root nor a sudo without password. As root, run:"
        printf 'apt-get install -y --no-install-recommends %s\n' "$missing" >&2
        exit 2
    fi
    log=$root/build/install.log
    : >"$log"
    say "installing $missing (log: $log)"
    # shellcheck disable=SC2086 # a list of words
    apt_install $missing && return
    reason=$(grep -m 1 '^[EW]: Failed to fetch' "$log" || grep '^E: ' "$log" | tail -n 1)
    die 2 "apt-get could not install $missing: ${reason:-no reason given} (log: $log)"
}

# offer_packages PRESET SET: what is missing of a set that the program can do without, before PRESET is configured
# for the first time. What cannot be had is left out.
offer_packages() {
    [ ! -f "$root/build/$1/build.ninja" ] || return 0
    missing=$(missing_packages "$2")
    [ -n "$missing" ] || return 0
    if ! command -v apt-get >/dev/null 2>&1 || ! find_root; then
        say "goes without $missing: with it there is more to measure (README, CPUs)"
        return 0
    fi
    log=$root/build/offer.log
    : >"$log"
    say "installing $missing (log: $log)"
    # shellcheck disable=SC2086 # a list of words
    apt_install $missing && return
    say "goes without $missing, which apt-get could not install (log: $log)"
}

# build_preset PRESET [TARGET]: configures when needed, builds what changed of TARGET, else of all, into build/PRESET.
build_preset() {
    folder=$root/build/$1
    log=$folder.log
    fresh=
    # A tree that was moved or copied cannot go on with its old paths.
    if [ -f "$folder/CMakeCache.txt" ] &&
        ! grep -qxF "CMAKE_HOME_DIRECTORY:INTERNAL=$root" "$folder/CMakeCache.txt"; then
        fresh=--fresh
    fi
    announcer=
    # Ninja configures again by itself when a CMake file changes, but does not know of the presets.
    # shellcheck disable=SC3013 # -nt: dash, bash and busybox have it
    if [ -n "$fresh" ] || [ ! -f "$folder/build.ninja" ] || [ "$root/CMakePresets.json" -nt "$folder/build.ninja" ]; then
        say "configuring and building $1 (log: $log)"
        (cd "$root" && cmake --preset "$1" $fresh) </dev/null >"$log" 2>&1 || build_failed
    else
        # With nothing to build ninja ends at once, and there is nothing to say.
        (
            exec 9>&-
            sleep 1 >/dev/null 2>&1
            say "building $1 (log: $log)"
        ) &
        announcer=$!
    fi
    built=0
    ninja -C "$folder" ${2:+"$2"} </dev/null >"$log" 2>&1 || built=$?
    [ -z "$announcer" ] || kill "$announcer" 2>/dev/null || :
    [ "$built" -eq 0 ] || build_failed
}

build_failed() {
    # From the first step that failed, else the end.
    if grep -q '^FAILED: ' "$log"; then
        sed -n '/^FAILED: /,$p' "$log" | head -n 40 >&2
    else
        tail -n 30 "$log" >&2
    fi
    die 70 "the build failed; all of its output: $log"
}
