//go:build bench

// Package floor is a program: the least that a Go server on echo can do for a POST. Its test binary is the server, so
// that echo stays out of every other package and nothing else is linked into what the others are measured against.
package floor

import (
	"errors"
	"fmt"
	"net/http"
	"os"
	"testing"

	"github.com/labstack/echo/v4"
)

// TestMain serves on the address in BENCH_FLOOR_ADDRESS until it is killed. Without one there is nothing to do.
func TestMain(_ *testing.M) {
	address := os.Getenv("BENCH_FLOOR_ADDRESS")
	if address == "" {
		return
	}
	e := echo.New()
	e.HideBanner, e.HidePort = true, true
	answer := []byte(`{"allow":true}`)
	e.POST("/v1/decisions", func(c echo.Context) error { return c.JSONBlob(http.StatusOK, answer) })
	e.GET("/check", func(c echo.Context) error { return c.NoContent(http.StatusOK) })
	if err := e.Start(address); !errors.Is(err, http.ErrServerClosed) {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
