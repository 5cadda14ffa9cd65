//go:build real

package realtest

import (
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"
	"time"
)

// receiver is where a server posts what happened. It keeps what it got until a test reads it.
type receiver struct {
	*httptest.Server
	got chan received
}

// received is one request.
type received struct {
	path, authorization, contentType string
	body                             []byte
	at                               time.Time
}

// form reads the body as one.
func (r received) form(t *testing.T) url.Values {
	t.Helper()
	form, err := url.ParseQuery(string(r.body))
	if err != nil {
		t.Fatal(err)
	}
	return form
}

// newReceiver answers everything with a status.
func newReceiver(t *testing.T, status int) *receiver {
	t.Helper()
	r := &receiver{got: make(chan received, 64)}
	r.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		body, err := io.ReadAll(io.LimitReader(req.Body, 1<<20))
		if err != nil {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		r.got <- received{req.URL.Path, req.Header.Get("Authorization"), req.Header.Get("Content-Type"), body,
			time.Now()}
		w.WriteHeader(status)
	}))
	t.Cleanup(r.Close)
	return r
}

// await is the next request to a path. Those to others are dropped.
func (r *receiver) await(t *testing.T, path string) received {
	t.Helper()
	deadline := time.After(30 * time.Second)
	for {
		select {
		case got := <-r.got:
			if got.path == path {
				return got
			}
		case <-deadline:
			t.Fatalf("nothing was posted to %s", path)
		}
	}
}

// none says that nothing has been posted yet.
func (r *receiver) none(t *testing.T) {
	t.Helper()
	select {
	case got := <-r.got:
		t.Errorf("something was posted to %s", got.path)
	default:
	}
}
