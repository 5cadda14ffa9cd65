#!/bin/sh
# Makes the user, and the group that owns /etc/sidecar, before files are unpacked.
set -e
if ! getent passwd sidecar >/dev/null; then
  useradd --system --user-group --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin \
    --comment "Authorization sidecar" sidecar
fi
