#!/usr/bin/env bash
# Makes dist/: archives, packages, an SBOM of each binary, and checksums.txt. Two runs on one commit give equal bytes.
# Needs Go, git and the tar, gzip and sha256sum of GNU; the packager and the writer of SBOMs are fetched at fixed versions.
#   PLATFORMS   what to build for; it names this machine's platform, whose binary writes man pages and completions
#   VERSION     as in the names of the files; without it, what deploy/version.sh says
#   DIST        the directory, which is emptied first
set -euo pipefail
cd "$(dirname "$0")/.."
export LC_ALL=C TZ=UTC CGO_ENABLED=0

PLATFORMS=${PLATFORMS:-linux/amd64 linux/arm64 darwin/amd64 darwin/arm64}
NFPM=github.com/goreleaser/nfpm/v2/cmd/nfpm@v2.45.2
CYCLONEDX=github.com/CycloneDX/cyclonedx-gomod/cmd/cyclonedx-gomod@v1.10.0

COMMIT=${COMMIT:-$(git rev-parse --short=12 HEAD)}
VERSION=${VERSION:-$(deploy/version.sh)}
SOURCE_DATE_EPOCH=$(git log -1 --format=%ct)
DIST=${DIST:-dist}
export VERSION SOURCE_DATE_EPOCH DIST

pack() { # pack DIRECTORY: writes DIRECTORY.tar.gz
  tar -C "$DIST" --sort=name --owner=0 --group=0 --numeric-owner --mode=u=rwX,go=rX --mtime="@$SOURCE_DATE_EPOCH" \
    -cf - "${1#"$DIST"/}" | gzip -n >"$1.tar.gz"
}

rm -rf "$DIST"
mkdir -p "$DIST/build/man" "$DIST/build/completions"
tools=$PWD/.cache/bin # kept from run to run
for tool in $NFPM $CYCLONEDX; do
  GOBIN=$tools go install -trimpath "$tool"
done
for platform in $PLATFORMS; do
  echo "build $platform"
  GOOS=${platform%/*} GOARCH=${platform#*/} go build -trimpath -buildvcs=false \
    -ldflags "-s -w -X main.release=$VERSION -X main.commit=$COMMIT" \
    -o "$DIST/build/${platform/\//_}/sidecar" ./cmd/sidecar
done

here=$DIST/build/$(go env GOHOSTOS)_$(go env GOHOSTARCH)/sidecar
"$here" completion bash >"$DIST/build/completions/sidecar.bash"
"$here" completion zsh >"$DIST/build/completions/_sidecar"
"$here" completion fish >"$DIST/build/completions/sidecar.fish"
"$here" man --dir "$DIST/build/man" >"$DIST/build/pages"
gzip -9nk "$DIST"/build/man/*.1
gzip -9n >"$DIST/build/changelog.gz" <<END
sidecar ($VERSION-1) stable; urgency=medium

  * What changed:
    https://github.com/authz-sidecar/sidecar/blob/main/CHANGELOG.md

 -- sidecar maintainers <authz-sidecar@users.noreply.github.com>  $(date -u -R -d "@$SOURCE_DATE_EPOCH")
END

for platform in $PLATFORMS; do
  name=$DIST/sidecar_${VERSION}_${platform/\//_}
  echo "pack $name"
  mkdir "$name"
  cp -R "$DIST/build/${platform/\//_}/sidecar" "$DIST/build/completions" "$DIST/build/man" LICENSE README.md \
    sidecar.example.yaml "$name/"
  rm -f "$name"/man/*.gz
  pack "$name"
  rm -r "$name"
  # Every module it names is in the module cache, for the binary was built of it.
  GOPROXY=off "$tools/cyclonedx-gomod" bin -json -licenses -std -noserial -notimestamp -version "$VERSION" \
    -output "$name.cdx.json" "$DIST/build/${platform/\//_}/sidecar"
  if [ "${platform%/*}" = linux ]; then
    for packager in deb rpm; do
      ARCH=${platform#*/} "$tools/nfpm" package --config deploy/packages/nfpm.yaml --packager "$packager" --target "$DIST"
    done
  fi
done
rm -r "$DIST/build"
cd "$DIST" && sha256sum -- * >checksums.txt
