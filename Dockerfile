# A static binary, run by nobody, in an image that holds nothing else.
# The build stage needs an image with the Go toolchain; --build-arg GO_IMAGE names another one.
ARG GO_IMAGE=docker.io/library/golang:1.26
FROM ${GO_IMAGE} AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
ARG VERSION=development
ARG COMMIT=unknown
RUN CGO_ENABLED=0 go build -trimpath -ldflags "-s -w -X main.release=${VERSION} -X main.commit=${COMMIT}" -o /out/sidecar ./cmd/sidecar

FROM scratch
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
COPY --from=build /out/sidecar /sidecar
COPY policies /policies
USER 65532:65532
WORKDIR /
EXPOSE 8181 8282
HEALTHCHECK --interval=10s --timeout=4s --start-period=5s CMD ["/sidecar", "healthcheck"]
ENTRYPOINT ["/sidecar"]
CMD ["serve", "--config", "/etc/sidecar/sidecar.yaml"]
