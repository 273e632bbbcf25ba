#!/bin/sh
# usage: build.sh DIRECTORY STAMP DEPFILE: makes DIRECTORY/app and DIRECTORY/docs, for meson.
set -eu
out=$1
stamp=$2
sources="$(dirname "$0")"

npm --prefix "$sources" run --silent build -- --outDir "$out/app" --emptyOutDir
rm -rf "$out/docs"
mkdir "$out/docs"
cp "$sources/docs/index.html" "$sources/docs/start.js" "$out/docs/"
cp "$sources/node_modules/swagger-ui-dist/swagger-ui.css" "$sources/node_modules/swagger-ui-dist/swagger-ui-bundle.js" "$out/docs/"
{
    printf '%s: ' "$stamp"
    find "$sources" -name node_modules -prune -o -type f -print | tr '\n' ' '
} >"$3"
touch "$stamp"
