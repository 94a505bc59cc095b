#!/bin/sh
# Stops and disables the service, unless this is an upgrade.
set -e
[ -d /run/systemd/system ] || exit 0
# dpkg: remove or upgrade; rpm: <number of versions left>
if [ "$1" = remove ] || [ "$1" = 0 ]; then
  systemctl disable --now aliyun_dbs_exporter.service
fi
