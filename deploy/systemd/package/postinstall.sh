#!/bin/sh
# Makes systemd load the unit, and restarts the service after an upgrade if it runs. The first installation does not
# start it, because the configuration has no account yet.
set -e
[ -d /run/systemd/system ] || exit 0
systemctl daemon-reload
# dpkg: configure <version before, if any>; rpm: <number of installed versions>
if [ "$1" = configure ] && [ -n "$2" ] || [ "$1" = 2 ]; then
  systemctl try-restart aliyun_dbs_exporter.service
fi
