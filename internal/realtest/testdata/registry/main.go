// Command registry serves an OCI registry on a port of the loopback address, and pushes bundles to one. Both parts are
// of go-containerregistry.
//
//	registry serve ADDRESS DIR
//	registry push REGISTRY/REPOSITORY:TAG FILE
package main

import (
	"fmt"
	"net"
	"net/http"
	"os"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

func main() {
	run := map[string]func(string, string) error{"serve": serve, "push": push}[os.Args[1]]
	if err := run(os.Args[2], os.Args[3]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// serve keeps blobs in a directory and manifests in memory.
func serve(address, dir string) error {
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return err
	}
	server := http.Server{Handler: registry.New(registry.WithBlobHandler(registry.NewDiskBlobHandler(dir))),
		ReadHeaderTimeout: time.Minute}
	return server.Serve(listener)
}

// push uploads an archive as the only layer of an image, which is the form that OPA downloads.
func push(tag, file string) error {
	at, err := name.NewTag(tag)
	if err != nil {
		return err
	}
	raw, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	image := mutate.MediaType(empty.Image, types.OCIManifestSchema1)
	image = mutate.ConfigMediaType(image, types.OCIConfigJSON)
	image, err = mutate.AppendLayers(image, static.NewLayer(raw, types.OCILayer))
	if err != nil {
		return err
	}
	return remote.Write(at, image)
}
