#!/bin/sh
# Creates the user of the service, who may read the configuration. Removing the package keeps the user.
set -e
getent passwd aliyun_dbs_exporter >/dev/null ||
  useradd --system --user-group --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin \
    --comment "Prometheus exporter for Alibaba Cloud DBS" aliyun_dbs_exporter
