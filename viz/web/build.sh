#!/usr/bin/env bash
# Builds the page of viz/web in the folder FOLDER, where its packages are kept too; the page is then
# FOLDER/dist/index.html. Exit code 77: this machine cannot (no Node, or no packages to be had).
#
#   viz/web/build.sh FOLDER
set -euo pipefail

folder=$1
sources=$(dirname -- "$(readlink -f -- "${BASH_SOURCE[0]}")")

cannot() { printf 'skipped: %s\n' "$*"; exit 77; }

command -v node >/dev/null && command -v npm >/dev/null || cannot "no Node.js with npm here"
(($(node -p 'process.versions.node.split(".")[0]') >= 20)) || cannot "Node.js $(node --version) is older than 20"

mkdir -p -- "$folder"
cd -- "$folder"
if ! cmp -s "$sources/package-lock.json" node_modules/.foreshard-lock; then
  cp "$sources/package.json" "$sources/package-lock.json" .
  npm ci --no-audit --no-fund --prefer-offline --fetch-retries=1 --fetch-timeout=60000 || cannot "the npm packages of package-lock.json cannot be had (no network?)"
  cp package-lock.json node_modules/.foreshard-lock
fi
rm -rf src dist
cp -r "$sources"/{src,index.html,tsconfig.json,vite.config.ts,package.json} .
npm run --silent build
# Whoever gets a page gets the licences of what is inside it.
{ printf '<!--\n'; cat dist/.vite/license.md; printf -- '-->\n'; } >>dist/index.html
