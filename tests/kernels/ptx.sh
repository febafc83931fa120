#!/bin/sh
# Compiles kernels with NVIDIA's instructions to PTX and has NVIDIA's assembler take them, for the oldest and a newer
# device that knows them: no GPU is needed. Fails too when registers are spilled with the shipped parameters.
# usage: ptx.sh SOURCE [OPTIONS]...     exit 77: no clang for nvptx64, or no ptxas
set -u
compiler=$(command -v clang || command -v clang-14) || { echo "no clang: apt-get install clang"; exit 77; }
"$compiler" --print-targets 2>/dev/null | grep -q nvptx64 || { echo "clang has no target nvptx64"; exit 77; }
assembler=$(command -v ptxas || command -v /usr/local/cuda/bin/ptxas) || { echo "no ptxas: it comes with nvcc"; exit 77; }
here=$(dirname "$0")
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
source=$1
shift
for options in "$@"; do
    # shellcheck disable=SC2086 # options are words
    "$compiler" -x cl -cl-std=CL1.2 -target nvptx64-nvidia-nvcl -Xclang -target-cpu -Xclang sm_80 \
        -Xclang -target-feature -Xclang +ptx70 -O3 -Wall -Wextra -Werror -include "$here/nvptx.h" $options \
        -S -o "$work/kernel.ptx" "$source" || { echo "$source does not compile with '$options'"; exit 1; }
    grep -q 'mma\.sync' "$work/kernel.ptx" || { echo "no mma.sync in $source with '$options'"; exit 1; }
    for architecture in sm_80 sm_90; do
        "$assembler" -v -arch=$architecture "$work/kernel.ptx" -o "$work/kernel.cubin" >"$work/log" 2>&1 ||
            { cat "$work/log"; echo "$source does not assemble for $architecture with '$options'"; exit 1; }
        grep -E 'entry|spill|registers' "$work/log"
        if grep -E '[1-9][0-9]* bytes spill' "$work/log"; then
            echo "$source spills registers on $architecture with '$options'"
            exit 1
        fi
    done
done
