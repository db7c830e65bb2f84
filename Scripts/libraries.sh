#!/bin/bash
# Documentation of the libraries, as HTML, from their doc comments and the catalogs beside their sources
# (Sources/X/X.docc). Fails on what docc warns of, such as a link to nothing; but a parameter need not be described
# where its name says it all, beside one that is.
#
#   Scripts/libraries.sh BUILD FOLDER
#
# BUILD has the compiled modules (.build/release). Each library goes to FOLDER/X.doccarchive, a folder that any
# web server can serve; `python3 -m http.server -d FOLDER/Swarm.doccarchive` and http://localhost:8000/documentation
# will do.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

build=$1 output=$2
libraries=(Metainfo Wire Discovery Store Swarm SwarmNode)
# docc and the rest lie beside the swift that is used, also where that is a link.
tools=$(dirname "$(realpath "$(command -v "${SWIFT:-swift}")")")
triple=$("${SWIFT:-swift}" -print-target-info | sed -n 's/^ *"triple": "\(.*\)",$/\1/p' | head -n 1)
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

words=(-I "$build/Modules" -target "$triple" -minimum-access-level public -skip-synthesized-members)
# Libraries that others wrote, and our shims in C.
for each in Sources/*/module.modulemap "$build"/C*.build/module.modulemap; do
  words+=(-Xcc "-fmodule-map-file=$each")
done
while read -r each; do words+=(-Xcc "$each"); done < <(
  pkg-config --cflags-only-I libuv libcrypto libsodium libmicrohttpd libzstd | tr ' ' '\n' | sed '/^$/d')

rm -rf "$output"
mkdir -p "$output"
for library in "${libraries[@]}"; do
  mkdir "$scratch/$library"
  "$tools/swift-symbolgraph-extract" -module-name "$library" -output-dir "$scratch/$library" "${words[@]}"
  # What a library adds to another's types stands with those.
  rm -f "$scratch/$library/$library@"*
  "$tools/docc" convert "Sources/$library/$library.docc" --fallback-display-name "$library" \
    --fallback-bundle-identifier "swarmnode.$library" --additional-symbol-graph-dir "$scratch/$library" \
    --output-path "$output/$library.doccarchive" >"$scratch/said" 2>&1 || { cat "$scratch/said" >&2 && exit 1; }
  faults=$(grep -E '^(warning|error): ' "$scratch/said" |
    grep -v "^warning: Parameter '.*' is missing documentation$" || true)
  if [ -n "$faults" ]; then
    cat "$scratch/said" >&2
    exit 1
  fi
done
echo "documentation of ${#libraries[@]} libraries: $output"
