#!/bin/sh
# A removed package leaves configuration, policies and decision logs. dpkg's purge takes all of it, and the user.
set -e
if [ -d /run/systemd/system ]; then
  systemctl daemon-reload
fi
if [ "$1" = purge ]; then
  rm -rf /etc/sidecar /var/log/sidecar
  if getent passwd sidecar >/dev/null; then
    userdel sidecar
  fi
fi
