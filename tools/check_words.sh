#!/bin/bash
# Refuses words that have no place in the repository: unfinished work, hosts of
# mirrors and registries (each machine has its own), paths of one machine.
# The patterns are written so that they do not match themselves.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

unfinished='\b(TO[D]O|FIX[M]E|XX[X]|HAC[K])\b|not[ ]implemented yet'
hosts='deb[.]debian[.]org|(ftp|security|snapshot)[.]debian[.]org'
hosts+='|registry[.]npmjs|[.]npmjs[.]org|archive[.]ubuntu[.]com'
machine='(^|[^a-z])/wor[k]/|/tm[p]/bare|/roo[t]/'
secrets='BEGIN (RSA |EC )?PRIVAT[E] KEY'

# What git would commit: tracked files and new ones that are not ignored.
list=$(mktemp)
trap 'rm -f "$list"' EXIT
git ls-files -z --cached --others --exclude-standard >"$list"

# scan WHAT PATTERN [FILES-LEFT-OUT]
found=0
scan() {
    local file hit=0
    while IFS= read -r -d '' file; do
        [[ -f $file && ! $file =~ ${3:-^$} ]] || continue
        grep -HnIE "$2" "$file" && hit=1
    done <"$list"
    [[ $hit -eq 0 ]] || echo "check_words.sh: $1" >&2
    found=$((found | hit))
}

# Corpora hold other people's words.
scan "unfinished work" "$unfinished" '^tests/(corpus|fuzz/corpus)/'
scan "a host of a mirror or registry" "$hosts"
scan "a path of one machine" "$machine" '^Dockerfile$'
scan "a private key" "$secrets" '^tests/'
exit "$found"
