#!/usr/bin/env bash
# Runs pages_test.mjs where there is Node.js. Exit code 77: there is none.
#
#   pages_test.sh FORESHARD SOURCE_FOLDER PACKAGES_FOLDER
command -v node >/dev/null || { echo "skipped: no Node.js here"; exit 77; }
exec node "$(dirname -- "${BASH_SOURCE[0]}")/pages_test.mjs" "$@"
