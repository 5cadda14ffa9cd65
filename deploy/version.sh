#!/usr/bin/env bash
# Prints the version of this checkout, as archives and packages spell it: 1.2.0 at the tag v1.2.0, 1.2.0+5.gCOMMIT five
# commits later, 0.0.0+N.gCOMMIT where there is no tag. Changes that are not committed add .changed.
set -euo pipefail
cd "$(dirname "$0")/.."
described=$(git describe --tags --match 'v[0-9]*' --abbrev=12 --dirty=.changed 2>/dev/null) ||
  described=v0.0.0-$(git rev-list --count HEAD)-g$(git describe --always --exclude '*' --abbrev=12 --dirty=.changed)
echo "$described" | sed -E 's/^v//; s/-([0-9]+)-g([0-9a-f]+)/+\1.g\2/; /\+/!s/\.changed$/+changed/'
