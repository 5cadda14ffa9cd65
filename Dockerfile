# A static binary, run as a user without rights, in an image that holds nothing else.
#   docker build -t sidecar .
#   docker buildx build --platform linux/amd64,linux/arm64 -t sidecar .
# The build stage needs an image with the Go toolchain; --build-arg GO_IMAGE names another one. It runs on the platform of
# the machine and compiles for that of the image.
ARG GO_IMAGE=docker.io/library/golang:1.26
FROM --platform=${BUILDPLATFORM} ${GO_IMAGE} AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
ARG VERSION=development
ARG COMMIT=unknown
ARG TARGETOS
ARG TARGETARCH
# As deploy/release.sh builds it: the same version and commit give the same bytes.
RUN CGO_ENABLED=0 GOOS=${TARGETOS} GOARCH=${TARGETARCH} go build -trimpath -buildvcs=false \
    -ldflags "-s -w -X main.release=${VERSION} -X main.commit=${COMMIT}" -o /out/sidecar ./cmd/sidecar

FROM scratch
ARG VERSION=development
ARG COMMIT=unknown
LABEL org.opencontainers.image.title="sidecar" \
      org.opencontainers.image.description="Policy-as-code authorization beside an application" \
      org.opencontainers.image.source="https://github.com/authz-sidecar/sidecar" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${COMMIT}"
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
COPY --from=build /out/sidecar /sidecar
USER 65532:65532
WORKDIR /
ENV SIDECAR_CONFIG=/etc/sidecar/sidecar.yaml
EXPOSE 8181 8282
HEALTHCHECK --interval=10s --timeout=4s --start-period=5s CMD ["/sidecar", "healthcheck"]
ENTRYPOINT ["/sidecar"]
CMD ["serve"]
