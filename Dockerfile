# syntax=docker/dockerfile:1

# Both base images are arguments, so that a registry mirror or a locally assembled image can take their place.
ARG BUILDER=docker.io/library/golang:1.26
ARG BASE=gcr.io/distroless/static-debian12:nonroot

FROM --platform=$BUILDPLATFORM ${BUILDER} AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
ARG TARGETOS=linux TARGETARCH
ARG VERSION=devel REVISION= BRANCH=
RUN CGO_ENABLED=0 GOOS=$TARGETOS GOARCH=$TARGETARCH go build -trimpath -buildvcs=false -o /out/aliyun_dbs_exporter \
      -ldflags "-s -w -X github.com/prometheus/common/version.Version=$VERSION -X github.com/prometheus/common/version.Revision=$REVISION -X github.com/prometheus/common/version.Branch=$BRANCH" .

# The base has CA roots and a user without rights, no shell and no package manager.
FROM ${BASE}
ARG VERSION=devel REVISION=
LABEL org.opencontainers.image.title="aliyun_dbs_exporter" \
      org.opencontainers.image.description="Prometheus exporter for download tasks of Alibaba Cloud Database Backup Service" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="$VERSION" \
      org.opencontainers.image.revision="$REVISION"
COPY --from=build /out/aliyun_dbs_exporter /bin/aliyun_dbs_exporter
COPY LICENSE config.example.yml /usr/share/doc/aliyun_dbs_exporter/
USER 65532:65532
EXPOSE 9977
ENTRYPOINT ["/bin/aliyun_dbs_exporter"]
CMD ["--config.file=/etc/aliyun_dbs_exporter/config.yml"]
