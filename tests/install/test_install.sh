#!/bin/sh
# test_install.sh CMAKE BUILD SOURCE VERSION: installs BUILD, moves the installation, and uses it from elsewhere: the
# program finds its data beside itself, without the build tree, BENCHMARK_DATA_DIR or a PATH.
set -eu
cmake=$1 build=$2 source=$3 version=$4
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

fail() {
    printf '%s\n' "$*" >&2
    exit 1
}

# The data in the build tree are links to the sources: installed, they must be files.
"$cmake" --install "$build" --prefix "$folder/first place" >"$folder/log" 2>&1 || { cat "$folder/log" >&2; fail "cmake --install failed"; }
mkdir "$folder/another" "$folder/work"
mv "$folder/first place" "$folder/another/place"
place=$folder/another/place
[ -z "$(find "$place" -type l)" ] || fail "the installation has links: $(find "$place" -type l)"

share=$place/share/benchmark
for kind in bench kernels; do
    diff -r "$source/$kind" "$share/$kind" >&2 || fail "$kind was not installed as it is"
done
for schema in schema comparison.schema gate.schema estimate.schema; do
    cmp "$source/results/$schema.json" "$share/results/$schema.json"
done
[ -s "$place/share/man/man1/benchmark.1" ] || fail "no man page"

# Anything that this leaves behind lies in $folder/work.
program() { (cd "$folder/work" && env -i HOME="$folder/work" "$@"); }
got=$(program "$place/bin/benchmark" --version)
case $got in
*"$version"*) ;;
*) fail "--version printed: $got" ;;
esac
models=$(program "$place/bin/benchmark" models)
for file in "$source"/bench/models/*.json; do
    id=$(basename "$file" .json)
    case $models in
    *"$id"*) ;;
    *) fail "benchmark models does not list $id, it printed: $models" ;;
    esac
done
program "$place/bin/benchmark" suites | grep -q quick || fail "benchmark suites does not list quick"

# The worker of a backend is found where it was installed to, whatever else there is.
if [ -x "$build/libexec/benchmark/benchmark-onednn" ]; then
    [ -x "$place/libexec/benchmark/benchmark-onednn" ] || fail "benchmark-onednn was not installed"
    program BENCHMARK_BACKENDS=onednn "$place/bin/benchmark" devices | grep -q 'onednn, driver oneDNN' || fail "the installed program does not find benchmark-onednn"
fi

# Through a link, as /usr/local/bin often has it.
ln -s "$place/bin/benchmark" "$folder/link"
[ "$(program "$folder/link" models)" = "$models" ] || fail "through a link the models are others"
[ -z "$(ls -A "$folder/work")" ] || fail "listing wrote files: $(ls -A "$folder/work")"
