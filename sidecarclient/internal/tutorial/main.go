// Command tutorial is the application of docs/tutorial.md.
package main

import (
	"fmt"
	"log"
	"net/http"

	"github.com/authz-sidecar/sidecar/sidecarclient"
)

func main() {
	handler, err := documents("http://127.0.0.1:8181")
	if err != nil {
		log.Fatal(err)
	}
	log.Fatal(http.ListenAndServe("127.0.0.1:8080", handler))
}

// documents is an application that the sidecar at an address guards.
func documents(address string) (http.Handler, error) {
	client, err := sidecarclient.New(sidecarclient.Config{Address: address})
	if err != nil {
		return nil, err
	}
	guard := sidecarclient.Middleware(sidecarclient.MiddlewareConfig{Client: client})
	mux := http.NewServeMux()
	mux.HandleFunc("GET /tenants/{tenant}/documents/{owner}/{id}", func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "document %s, for %s\n", r.PathValue("id"), r.Header.Get("X-Subject"))
	})
	return guard(mux), nil
}
