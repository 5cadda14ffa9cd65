#!/bin/sh
# dpkg says "configure OLD-VERSION", without a version at the first installation; rpm says 1 then, and 2 at an upgrade.
set -e
case "$1 $2" in
"configure "?* | "2 ") first=no ;;
"configure " | "1 ") first=yes ;;
*) exit 0 ;;
esac
if [ -d /run/systemd/system ]; then
  systemctl daemon-reload
  systemctl try-restart sidecar.service # a sidecar that does not run is left so
fi
if [ "$first" = yes ]; then
  echo "sidecar is installed and not started. Write a configuration, then start it:"
  echo "  sidecar init --issuer https://login.acme.example --client-id orders-api --dir /etc/sidecar"
  echo "  chown sidecar: /etc/sidecar/client-secret"
  echo "  systemctl enable --now sidecar"
fi
