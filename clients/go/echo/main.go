// Command echo is an application of echo behind package sidecarecho. It answers with what it sees of an allowed
// request.
//
//	SIDECAR_URL=http://127.0.0.1:8181 PORT=8080 go run ./clients/go/echo
package main

import (
	"cmp"
	"fmt"
	"log"
	"net"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/authz-sidecar/sidecar/sidecarclient"
	"github.com/authz-sidecar/sidecar/sidecarclient/sidecarecho"
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
	e := echo.New()
	e.Use(sidecarecho.Middleware(sidecarclient.MiddlewareConfig{Client: client}))
	e.Any("/*", answer)

	ln, err := net.Listen("tcp", "127.0.0.1:"+cmp.Or(os.Getenv("PORT"), "8080"))
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("listening on", ln.Addr())
	server := &http.Server{Handler: e, ReadHeaderTimeout: 10 * time.Second}
	log.Fatal(server.Serve(ln))
}

func answer(c echo.Context) error {
	decision, _ := sidecarecho.Decision(c)
	r := c.Request()
	headers := map[string][]string{}
	for name, values := range r.Header {
		headers[strings.ToLower(name)] = append(headers[strings.ToLower(name)], values...)
	}
	return c.JSON(http.StatusOK, map[string]any{
		"target": r.RequestURI, "headers": headers, "context": decision.Context,
	})
}
