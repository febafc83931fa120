#!/bin/sh
# test_manual.sh GROFF PAGE: the man page renders without a warning, and speaks of the commands that it must.
set -eu
text=$("$1" -man -ww -Tutf8 -rLL=100n "$2" 2>&1 >/dev/null) || :
[ -z "$text" ] || { printf '%s\n' "$text" >&2; exit 1; }
rendered=$("$1" -man -Tascii -P-c -P-b -P-u -rLL=100n "$2")
# A line that lost its .br or .TP runs on in the one before.
synopsis=$(printf '%s\n' "$rendered" | sed '/^DESCRIPTION$/,$d' | tr -s ' ')
commands=$(printf '%s\n' "$rendered" | sed '1,/^COMMANDS$/d; /^OPTIONS$/,$d')
for word in run compare check ab estimate devices verify tune models help; do
    printf '%s\n' "$synopsis" | grep -q "^ benchmark $word " || { printf 'no synopsis of %s\n' "$word" >&2; exit 1; }
    printf '%s\n' "$commands" | grep -Eq "^ {7}$word(,| |$)" || { printf 'no paragraph of %s\n' "$word" >&2; exit 1; }
done
for word in NAME SYNOPSIS COMMANDS OPTIONS 'EXIT STATUS' ENVIRONMENT FILES EXAMPLES; do
    printf '%s\n' "$rendered" | grep -qx "$word" || { printf 'no section %s\n' "$word" >&2; exit 1; }
done
