package plainhttp_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/authz-sidecar/sidecar/internal/listen"
)

func TestWhatAHandlerKeepsOfACallDoesNotChange(t *testing.T) {
	var kept []*http.Request
	d := open(t, limits, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		kept = append(kept, r)
		mirror(w, r)
	}))
	c := dial(t, d)
	for i := range 12 {
		c.send(t, post("/a", strings.Repeat("b", i)))
		c.answer(t, strings.Repeat("b", i))
	}
	for i, r := range kept {
		if got := r.Header.Get("Content-Length"); got != fmt.Sprint(i) || r.ContentLength != int64(i) ||
			!errors.Is(r.Context().Err(), context.Canceled) {
			t.Errorf("call %d has length %s and %d, and its context %v", i, got, r.ContentLength, r.Context().Err())
		}
		if raw, ok := listen.ConnOf(r).(*net.TCPConn); !ok || raw.RemoteAddr().String() != r.RemoteAddr {
			t.Errorf("call %d is on %v, from %q", i, listen.ConnOf(r), r.RemoteAddr)
		}
	}
}

func TestABodyIsNotReadAfterItsCall(t *testing.T) {
	var kept io.ReadCloser
	d := open(t, limits, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if kept == nil {
			kept = r.Body
			return
		}
		text, err := io.ReadAll(kept)
		_, _ = fmt.Fprintf(w, "%q %v", text, err)
	}))
	c := dial(t, d)
	c.send(t, post("/", "first")+post("/", "other"))
	c.answer(t, "")
	c.answer(t, fmt.Sprintf("%q %v", "", http.ErrBodyReadAfterClose))
}

// A handler that left a goroutine behind would answer the call of another caller by it.
func TestWhatIsWrittenAfterACallIsInNoAnswer(t *testing.T) {
	var kept []http.ResponseWriter
	d := open(t, limits, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for _, late := range kept {
			late.Header().Set("X-Late", "yes")
			late.WriteHeader(http.StatusTeapot)
			if n, err := late.Write([]byte("late")); n > 0 || err == nil {
				t.Errorf("%d bytes were written: %v", n, err)
			}
		}
		kept = append(kept, w)
		mirror(w, r)
	}))
	for _, c := range []*client{dial(t, d), dial(t, d)} {
		for _, body := range []string{"first", "second", "third"} {
			c.send(t, post("/", body))
			if resp := c.answer(t, body); resp.Header.Get("X-Late") != "" || resp.StatusCode != http.StatusOK {
				t.Fatalf("answered %v", resp)
			}
		}
	}
}

// A handler may end its goroutine while another one reads the body: then it is that of no other call.
func TestABodyIsNotReadAfterTheEndOfTheGoroutine(t *testing.T) {
	kept := make(chan io.Reader, 1)
	d := open(t, limits, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/ends" {
			kept <- r.Body
			runtime.Goexit()
		}
		text, err := io.ReadAll(<-kept)
		_, _ = fmt.Fprintf(w, "%q %v", text, err)
	}))
	c := dial(t, d)
	c.send(t, post("/ends", "first"))
	c.ended(t)
	other := dial(t, d)
	other.send(t, post("/", "other"))
	other.answer(t, fmt.Sprintf("%q %v", "", http.ErrBodyReadAfterClose))
}

func TestAClosedBodyIsNotRead(t *testing.T) {
	c := dial(t, open(t, limits, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_ = r.Body.Close()
		mirror(w, r)
	})))
	c.send(t, post("/", "body")+post("/", ""))
	c.answer(t, " "+http.ErrBodyReadAfterClose.Error())
	c.answer(t, "")
}

// A caller that ends its half of the connection has sent all that it will, and may wait for the answers.
func TestACallerThatEndsItsHalfGetsAllAnswers(t *testing.T) {
	c := dial(t, open(t, limits, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		<-r.Context().Done() // as the connection may be at its end
		mirror(w, r)
	})))
	c.send(t, post("/", "first")+post("/", "second"))
	if err := c.Conn.(*net.TCPConn).CloseWrite(); err != nil {
		t.Fatal(err)
	}
	c.answer(t, "first")
	c.answer(t, "second")
	c.ended(t)
}

// Doors hand the same values to many answers at once.
func TestTheValuesOfFieldsAreNotChanged(t *testing.T) {
	values := []string{" b\r\n", "a", ""}
	shared := slices.Clone(values)
	c := dial(t, open(t, limits, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header()["X-Shared"], w.Header()["Content-Length"] = shared, shared[2:]
	})))
	for range 2 {
		c.send(t, post("/", ""))
		c.answer(t, "")
	}
	if !slices.Equal(shared, values) {
		t.Errorf("they are %q", shared)
	}
}
