#!/usr/bin/env bash
# The committed page is what its sources build. Exit code 77: nothing here can build it.
#
#   build_test.sh SOURCE_FOLDER BUILD_FOLDER
set -euo pipefail

web=$1/viz/web
"$web/build.sh" "$2" || exit
if ! cmp "$2/dist/index.html" "$web/page.html"; then
  echo "viz/web/page.html is not what viz/web/src builds: build the target 'page' and commit it"
  exit 1
fi
