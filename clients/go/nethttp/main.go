// Command nethttp is an application of net/http behind package sidecarclient. It answers with what it sees of an
// allowed request.
//
//	SIDECAR_URL=http://127.0.0.1:8181 PORT=8080 go run ./clients/go/nethttp
package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"log"
	"net"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/authz-sidecar/sidecar/sidecarclient"
)

func main() {
	timeout, err := time.ParseDuration(cmp.Or(os.Getenv("SIDECAR_TIMEOUT"), "3") + "s")
	if err != nil {
		log.Fatal(err)
	}
	client, err := sidecarclient.New(sidecarclient.Config{Address: os.Getenv("SIDECAR_URL"), Timeout: timeout})
	if err != nil {
		log.Fatal(err)
	}
	guarded := sidecarclient.Middleware(sidecarclient.MiddlewareConfig{Client: client})

	ln, err := net.Listen("tcp", "127.0.0.1:"+cmp.Or(os.Getenv("PORT"), "8080"))
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("listening on", ln.Addr())
	server := &http.Server{Handler: guarded(http.HandlerFunc(answer)), ReadHeaderTimeout: 10 * time.Second}
	log.Fatal(server.Serve(ln))
}

func answer(w http.ResponseWriter, r *http.Request) {
	decision, _ := sidecarclient.FromContext(r.Context())
	headers := map[string][]string{}
	for name, values := range r.Header {
		headers[strings.ToLower(name)] = append(headers[strings.ToLower(name)], values...)
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(map[string]any{ // a client that left needs no answer
		"target": r.RequestURI, "headers": headers, "context": decision.Context,
	})
}
