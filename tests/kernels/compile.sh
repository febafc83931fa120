#!/bin/sh
# Compiles one OpenCL C source on its own, with its default parameters and with those that follow, one set an argument.
# usage: compile.sh SOURCE [OPTIONS]...     exit 77: no clang
set -u
compiler=$(command -v clang || command -v clang-14) || { echo "no clang: apt-get install clang"; exit 77; }
source=$1
shift
for options in "" "$@"; do
    # shellcheck disable=SC2086 # options are words
    "$compiler" -x cl -cl-std=CL1.2 -Xclang -finclude-default-header -fsyntax-only -Wall -Wextra -Werror $options \
        "$source" || { echo "$source does not compile with '$options'"; exit 1; }
done
