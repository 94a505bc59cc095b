#!/bin/sh
# Creates the user that the service runs as and that may read the configuration. It stays when the package goes.
set -e
getent passwd aliyun_dbs_exporter >/dev/null ||
  useradd --system --user-group --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin \
    --comment "Prometheus exporter for Alibaba Cloud DBS" aliyun_dbs_exporter
