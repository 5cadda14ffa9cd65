package sidecarclient_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/authz-sidecar/sidecar/sidecarclient"
	"github.com/authz-sidecar/sidecar/sidecarclient/sidecartest"
)

// orders is an application that the sidecar at an address guards.
func orders(address string) (http.Handler, error) {
	client, err := sidecarclient.New(sidecarclient.Config{Address: address})
	if err != nil {
		return nil, err
	}
	guard := sidecarclient.Middleware(sidecarclient.MiddlewareConfig{Client: client})

	mux := http.NewServeMux()
	mux.HandleFunc("GET /orders/{id}", func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "order %s, for %s", r.PathValue("id"), r.Header.Get("X-Subject"))
	})
	return guard(mux), nil
}

func ExampleMiddleware() {
	sidecar := sidecartest.Start(sidecartest.On("GET /orders/42", sidecartest.Allow("X-Subject", "alice")))
	defer sidecar.Close()
	app, err := orders(sidecar.URL)
	if err != nil {
		log.Fatal(err)
	}
	for _, target := range []string{"/orders/42", "/orders/43"} {
		w := httptest.NewRecorder()
		app.ServeHTTP(w, httptest.NewRequest("GET", target, nil))
		fmt.Println(w.Code, w.Header().Get("Content-Type"))
	}
	// Output:
	// 200 text/plain; charset=utf-8
	// 403 application/problem+json
}

// watermarked serves documents, and stamps those for which a policy asks it.
func watermarked(client *sidecarclient.Client) http.Handler {
	guard := sidecarclient.Middleware(sidecarclient.MiddlewareConfig{
		Client: client,
		Obligations: map[string]sidecarclient.ObligationHandler{
			"audit": func(r *http.Request, o sidecarclient.Obligation) error {
				_, err := fmt.Println("audit:", r.URL.Path)
				return err // an obligation that is not honoured refuses the request
			},
			"watermark": sidecarclient.HonouredByApplication,
		},
	})
	return guard(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		decision, _ := sidecarclient.FromContext(r.Context())
		for _, o := range decision.Obligations {
			if o.Type == "watermark" {
				fmt.Fprint(w, "CONFIDENTIAL ")
			}
		}
		fmt.Fprint(w, "a document")
	}))
}

func ExampleMiddleware_obligations() {
	sidecar := sidecartest.Start(
		sidecartest.On("/documents/1", sidecartest.Oblige(sidecartest.Allow(), "audit", "watermark")),
	)
	defer sidecar.Close()
	w := httptest.NewRecorder()
	watermarked(sidecar.Client()).ServeHTTP(w, httptest.NewRequest("GET", "/documents/1", nil))
	fmt.Println(w.Code, w.Body)
	// Output:
	// audit: /documents/1
	// 200 CONFIDENTIAL a document
}

// behindProxy asks with the address that a proxy reports, and with a context of the application.
func behindProxy(client *sidecarclient.Client) func(http.Handler) http.Handler {
	return sidecarclient.Middleware(sidecarclient.MiddlewareConfig{
		Client: client,
		Question: func(r *http.Request) sidecarclient.Request {
			q := sidecarclient.RequestFrom(r)
			q.SourceIP = r.Header.Get("X-Real-Ip") // the proxy sets it, whatever the client sent
			q.Context = map[string]any{"region": "eu"}
			return q
		},
	})
}

func ExampleMiddlewareConfig_question() {
	sidecar := sidecartest.Start(sidecartest.On("**", sidecartest.Allow()))
	defer sidecar.Close()
	r := httptest.NewRequest("GET", "/orders%2F42", nil)
	r.Header.Set("X-Real-Ip", "198.51.100.7")
	behindProxy(sidecar.Client())(http.NotFoundHandler()).ServeHTTP(httptest.NewRecorder(), r)
	q := sidecar.Questions()[0]
	fmt.Printf("%s %s %s %s\n", q.Method, q.URL, q.SourceIP, q.Context)
	// Output: GET /orders%2F42 198.51.100.7 {"region":"eu"}
}

// deletable returns those of ids whose orders a token may delete: one call for all.
func deletable(ctx context.Context, c *sidecarclient.Client, token string, ids []string) ([]string, error) {
	questions := make([]sidecarclient.Request, len(ids))
	for i, id := range ids {
		questions[i] = sidecarclient.Request{Method: "DELETE", URL: "/orders/" + id, Token: token}
	}
	decisions, err := c.Batch(ctx, questions)
	if err != nil {
		return nil, err
	}
	var allowed []string
	for i, d := range decisions {
		if d.Allow && len(d.Obligations) == 0 {
			allowed = append(allowed, ids[i])
		}
	}
	return allowed, nil
}

func ExampleClient_Batch() {
	sidecar := sidecartest.Start(sidecartest.Rule{
		Method: "DELETE", Path: "/orders/2", Token: "mF_9.B5f", Decision: sidecartest.Allow(),
	})
	defer sidecar.Close()
	fmt.Println(deletable(context.Background(), sidecar.Client(), "mF_9.B5f", []string{"1", "2", "3"}))
	// Output: [2] <nil>
}

func ExampleClient_Decide() {
	decision := sidecartest.Allow()
	decision.Context = json.RawMessage(`{"limit": 100}`)
	sidecar := sidecartest.Start(sidecartest.On("POST /transfers", decision))
	defer sidecar.Close()

	// A request that came as a message, and not over HTTP.
	d, err := sidecar.Client().Decide(context.Background(), sidecarclient.Request{
		Method: "POST", URL: "/transfers", Token: "mF_9.B5f", Context: map[string]any{"amount": 70},
	})
	if err != nil { // there is no decision: refuse
		log.Fatal(err)
	}
	var context struct{ Limit int }
	if err := json.Unmarshal(d.Context, &context); err != nil {
		log.Fatal(err)
	}
	fmt.Println(d.Allow, d.Kind, d.Status, context.Limit)
	// Output: true allow 200 100
}

func TestAnOrderIsServedToWhomTheSidecarAllows(t *testing.T) {
	sidecar := sidecartest.New(t,
		sidecartest.Rule{Path: "/orders/*", Token: "alices", Decision: sidecartest.Allow("X-Subject", "alice")},
		sidecartest.On("/orders/*", sidecartest.Deny(401, "no_credential", "a token is needed")),
		sidecartest.Rule{Path: "/slow", Fault: sidecartest.Breaks},
	)
	app, err := orders(sidecar.URL)
	if err != nil {
		t.Fatal(err)
	}
	for target, want := range map[string]int{"/orders/42": 200, "/orders/42/lines": 403, "/slow": 503} {
		r := httptest.NewRequest("GET", target, nil)
		r.Header.Set("Authorization", "Bearer alices")
		w := httptest.NewRecorder()
		if app.ServeHTTP(w, r); w.Code != want {
			t.Errorf("%s: %d, want %d", target, w.Code, want)
		}
	}
}

func order(w http.ResponseWriter, r *http.Request) { fmt.Fprintf(w, "order %s", r.PathValue("id")) }

func Example() {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /orders/{id}", order)

	client, err := sidecarclient.New(sidecarclient.Config{Address: "http://127.0.0.1:8181"})
	if err != nil {
		log.Fatal(err)
	}
	guard := sidecarclient.Middleware(sidecarclient.MiddlewareConfig{Client: client})
	log.Fatal(http.ListenAndServe("127.0.0.1:8080", guard(mux)))
}
