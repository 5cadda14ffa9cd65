package sidecarecho_test

import (
	"errors"
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/labstack/echo/v4"

	"github.com/authz-sidecar/sidecar/sidecarclient"
	"github.com/authz-sidecar/sidecar/sidecarclient/sidecarecho"
	"github.com/authz-sidecar/sidecar/sidecarclient/sidecartest"
)

// orders is an application of echo that the sidecar at an address guards.
func orders(address string) (*echo.Echo, error) {
	client, err := sidecarclient.New(sidecarclient.Config{Address: address})
	if err != nil {
		return nil, err
	}
	e := echo.New()
	e.Use(sidecarecho.Middleware(sidecarclient.MiddlewareConfig{Client: client}))
	e.GET("/orders/:id", func(c echo.Context) error {
		decision, _ := sidecarecho.Decision(c)
		return c.String(http.StatusOK, fmt.Sprintf("order %s, for %s, by policy %s", c.Param("id"),
			c.Request().Header.Get("X-Subject"), decision.Policy.Path))
	})
	return e, nil
}

func Example() {
	sidecar := sidecartest.Start(sidecartest.On("GET /orders/42", sidecartest.Allow("X-Subject", "alice")))
	defer sidecar.Close()
	app, err := orders(sidecar.URL)
	if err != nil {
		log.Fatal(err)
	}
	w := httptest.NewRecorder()
	app.ServeHTTP(w, httptest.NewRequest("GET", "/orders/42", nil))
	fmt.Println(w.Code, w.Body)
	// Output: 200 order 42, for alice, by policy authz/decision
}

func TestAnErrorOfTheHandlerIsEchos(t *testing.T) {
	d := sidecartest.Allow()
	d.Headers = http.Header{"Dpop-Nonce": {"n2"}}
	s := sidecartest.New(t, sidecartest.On("/a", d))
	e := echo.New()
	e.Use(sidecarecho.Middleware(sidecarclient.MiddlewareConfig{Client: s.Client()}))
	e.GET("/a", func(echo.Context) error { return errors.New("no such order") })
	w := httptest.NewRecorder()
	e.ServeHTTP(w, httptest.NewRequest("GET", "/a", nil))
	if w.Code != 500 || w.Header().Get("DPoP-Nonce") != "n2" {
		t.Errorf("%d %v %s", w.Code, w.Header(), w.Body)
	}
}

func TestARefusalDoesNotReachTheHandlerNorEchosErrorHandler(t *testing.T) {
	s := sidecartest.New(t)
	e := echo.New()
	e.HTTPErrorHandler = func(err error, _ echo.Context) { t.Error(err) }
	e.Use(sidecarecho.Middleware(sidecarclient.MiddlewareConfig{Client: s.Client()}))
	e.GET("/a", func(echo.Context) error { t.Error("the handler was called"); return nil })
	w := httptest.NewRecorder()
	e.ServeHTTP(w, httptest.NewRequest("GET", "/a", nil))
	if w.Code != 403 || !strings.Contains(w.Body.String(), "no_rule") {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}

func TestAPathThatIsNotRoutedIsAskedAboutToo(t *testing.T) {
	s := sidecartest.New(t)
	e := echo.New()
	e.Use(sidecarecho.Middleware(sidecarclient.MiddlewareConfig{Client: s.Client()}))
	w := httptest.NewRecorder()
	e.ServeHTTP(w, httptest.NewRequest("GET", "/nowhere", nil))
	if w.Code != 403 || len(s.Questions()) != 1 {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}
