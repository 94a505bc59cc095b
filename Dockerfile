# An image of two static binaries and CA roots: no shell, no package manager, no root.
#
#   docker build --tag aliyun_dbs_exporter .
#   docker buildx build --platform linux/amd64,linux/arm64 --tag aliyun_dbs_exporter .

# Any image with Go, a shell and CA roots will do, such as one of a registry mirror.
ARG BUILDER=docker.io/library/golang:1.26

FROM --platform=$BUILDPLATFORM ${BUILDER} AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
ARG TARGETOS TARGETARCH
ARG VERSION=devel REVISION= BRANCH= BUILD_DATE=
RUN stamp=github.com/prometheus/common/version && \
    CGO_ENABLED=0 GOOS=$TARGETOS GOARCH=$TARGETARCH go build -trimpath -buildvcs=false -o /image/bin/ -ldflags "-s -w \
      -X $stamp.Version=$VERSION -X $stamp.Revision=$REVISION -X $stamp.Branch=$BRANCH -X $stamp.BuildDate=$BUILD_DATE" . ./deploy/image/healthcheck

FROM scratch
ARG VERSION=devel REVISION= BUILD_DATE=
LABEL org.opencontainers.image.title="aliyun_dbs_exporter" \
      org.opencontainers.image.description="Prometheus exporter for download tasks of Alibaba Cloud Database Backup Service" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="$VERSION" \
      org.opencontainers.image.revision="$REVISION" \
      org.opencontainers.image.created="$BUILD_DATE"
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/
COPY --chmod=0644 LICENSE config.example.yml /usr/share/doc/aliyun_dbs_exporter/
COPY --from=build /image/ /
ENV ALIYUN_DBS_EXPORTER_CONFIG_FILE=/etc/aliyun_dbs_exporter/config.yml
USER 65532:65532
EXPOSE 9977
HEALTHCHECK --interval=30s --timeout=5s --start-period=10s CMD ["/bin/healthcheck"]
ENTRYPOINT ["/bin/aliyun_dbs_exporter"]
