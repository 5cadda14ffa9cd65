#!/bin/sh
# dpkg says "remove" and rpm 0 when the package goes; at an upgrade the sidecar serves on.
set -e
case "$1" in
remove | 0) ;;
*) exit 0 ;;
esac
if [ -d /run/systemd/system ]; then
  systemctl --no-reload disable --now sidecar.service
elif command -v systemctl >/dev/null; then
  systemctl --no-reload disable sidecar.service
fi
