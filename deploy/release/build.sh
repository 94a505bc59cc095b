#!/usr/bin/env bash
# Builds what is published of a version, from the commit that is checked out: an archive and a bill of materials for each
# platform, packages for Linux, and their sums. The same commit and Go release give the same bytes. Nothing is uploaded.
#
#   deploy/release/build.sh 1.2.3 dist
#
# It needs Go, git, zip, and GNU date, find, tar and touch.
set -euo pipefail
[ $# -eq 2 ] || { sed -n '2,7s/^# \{0,1\}//p' "$0" >&2; exit 2; }
version=$1
mkdir -p "$2"
dist=$(cd "$2" && pwd)
cd "$(dirname "$0")/../.."

[[ $version =~ ^[0-9]+\.[0-9]+\.[0-9]+(-[0-9A-Za-z.]+)?$ ]] || { echo "$version is no semantic version, such as 1.2.3" >&2; exit 2; }
[ -z "$(ls -A "$dist")" ] || { echo "$dist is not empty" >&2; exit 2; }

platforms=${PLATFORMS:-linux/amd64 linux/arm64 darwin/amd64 darwin/arm64 windows/amd64 windows/arm64}
nfpm=$(go -C test/tools tool -n nfpm)
cyclonedx=$(go -C test/tools tool -n cyclonedx-gomod)

# The time of the commit is the time of every file; packages and archives read it from here. A branch is no part of a
# commit, so none is named.
SOURCE_DATE_EPOCH=$(git show --no-patch --format=%ct HEAD)
export SOURCE_DATE_EPOCH TZ=UTC
stamp=github.com/prometheus/common/version
ldflags="-s -w -X $stamp.Version=$version -X $stamp.Revision=$(git rev-parse HEAD) -X $stamp.Branch=HEAD"
ldflags+=" -X $stamp.BuildDate=$(date --date="@$SOURCE_DATE_EPOCH" --iso-8601=seconds)"

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# quiet runs a command and shows what it printed only if it fails.
quiet() {
  "$@" >"$work/log" 2>&1 || { cat "$work/log" >&2; return 1; }
}

# archive packs a folder of $work, as zip for Windows.
archive() {
  local name=$1 system=$2
  cd "$work"
  chmod -R u=rwX,go=rX "$name"
  find "$name" -exec touch --no-dereference --date="@$SOURCE_DATE_EPOCH" {} +
  if [ "$system" = windows ]; then
    find "$name" -type f | LC_ALL=C sort | zip -q -X -@ "$dist/$name.zip"
  else
    tar --create --sort=name --format=ustar --owner=0 --group=0 --numeric-owner "$name" | gzip --no-name >"$dist/$name.tar.gz"
  fi
  cd "$OLDPWD"
}

for platform in $platforms; do
  system=${platform%/*} arch=${platform#*/}
  name=aliyun_dbs_exporter-$version.$system-$arch
  binary=$work/$name/aliyun_dbs_exporter
  [ "$system" != windows ] || binary+=.exe
  mkdir "$work/$name"
  cp LICENSE CHANGELOG.md config.example.yml "$work/$name/"
  CGO_ENABLED=0 GOOS=$system GOARCH=$arch go build -trimpath -buildvcs=false -ldflags "$ldflags" -o "$binary" .
  archive "$name" "$system"
  quiet "$cyclonedx" bin -json -noserial -notimestamp -output "$dist/$name.cdx.json" "$binary"
  if [ "$system" = linux ]; then
    for packager in deb rpm; do
      VERSION=$version ARCH=$arch BINARY=$binary quiet "$nfpm" package --config deploy/release/nfpm.yml --packager "$packager" --target "$dist/"
    done
  fi
done
cd "$dist"
sha256sum -- * >"$work/sha256sums.txt"
mv "$work/sha256sums.txt" .
