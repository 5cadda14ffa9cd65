//go:build real

package realtest

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/authz-sidecar/sidecar/internal/testkit"
)

// loadRate is how many requests a second use the token that will end.
const loadRate = 200

// sample is one decision under load. Where there was none, answer says why.
type sample struct {
	token        int
	began, ended time.Time
	answer       string
	allow        bool
}

// traffic asks about tokens until it is stopped: about the first one loadRate times a second, and about the others a
// quarter as often.
type traffic struct {
	sidecar *sidecar
	http    *http.Client
	bodies  []string
	end     chan struct{}
	running sync.WaitGroup

	mu      sync.Mutex
	samples []sample
	said    bytes.Buffer
}

func startTraffic(t *testing.T, sc *sidecar, tokens ...string) *traffic {
	t.Helper()
	l := &traffic{sidecar: sc, http: client(), end: make(chan struct{})}
	transport := &http.Transport{MaxIdleConnsPerHost: 64}
	l.http.Transport = transport
	t.Cleanup(transport.CloseIdleConnections)
	for _, token := range tokens {
		l.bodies = append(l.bodies, presented{}.asked(t, token))
	}
	l.running.Go(l.run)
	return l
}

func (l *traffic) run() {
	tick := time.NewTicker(time.Second / loadRate)
	defer tick.Stop()
	for n := 0; ; n++ {
		for i := range l.bodies {
			if i == 0 || n%4 == 0 {
				l.running.Go(func() { l.ask(i) })
			}
		}
		select {
		case <-tick.C:
		case <-l.end:
			return
		}
	}
}

func (l *traffic) ask(i int) {
	s := sample{token: i, began: time.Now()}
	var body []byte
	resp, err := l.http.Post(l.sidecar.api+"/v1/decisions", "application/json", strings.NewReader(l.bodies[i]))
	if err == nil {
		body, err = io.ReadAll(resp.Body)
		_ = resp.Body.Close()
	}
	s.ended = time.Now()
	var a answer
	if err == nil {
		err = json.Unmarshal(body, &a)
	}
	s.answer, s.allow = a.String(), a.Allow
	if err != nil {
		s.answer = err.Error()
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.samples = append(l.samples, s)
	l.said.Write(body)
}

// stop ends the load when all that was asked has been answered.
func (l *traffic) stop() []sample {
	close(l.end)
	l.running.Wait()
	l.sidecar.answers.Write(l.said.Bytes())
	return l.samples
}

// denial is when a token was first refused under load.
func (l *traffic) denial(token int) (time.Time, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	var first time.Time
	for _, s := range l.samples {
		if s.token == token && !s.allow && (first.IsZero() || s.ended.Before(first)) {
			first = s.ended
		}
	}
	return first, !first.IsZero()
}

// asked counts the decisions about a token that began after a time.
func (l *traffic) asked(token int, after time.Time) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	n := 0
	for _, s := range l.samples {
		if s.token == token && s.began.After(after) {
			n++
		}
	}
	return n
}

// endUnderLoad ends the first of some tokens under load, by end, and looks at what the sidecar says: it is refused
// within a time, and from then on always; the others never are. It returns when it was refused first. active asks the
// server itself.
func (sc *sidecar) endUnderLoad(
	t *testing.T, within time.Duration, active func(*testing.T, string) bool, end func(), tokens ...string,
) time.Time {
	t.Helper()
	for _, token := range tokens {
		sc.expectOf(t, "before", token, allowed) // and in the cache
	}
	l := startTraffic(t, sc, tokens...)
	time.Sleep(300 * time.Millisecond) // under load, so that connections are there
	begun := time.Now()
	end()
	first, ok := l.denial(0)
	for ; !ok; first, ok = l.denial(0) {
		if time.Since(begun) > within {
			t.Fatalf("the token is still allowed after %v of load; that its server calls it active is %v\n%s", within,
				active(t, tokens[0]), sc.eventsLogged(t))
		}
		time.Sleep(10 * time.Millisecond)
	}
	time.Sleep(time.Second) // a wrong allow would be later
	testkit.Within(t, time.Minute, "ask about the token under load after it was refused",
		func() bool { return l.asked(0, first) >= loadRate/2 })
	samples := l.stop()
	for _, s := range samples {
		switch {
		case s.token > 0 && s.answer != allowed:
			t.Errorf("token %d that is not over: %s, %v after the end of the other", s.token, s.answer,
				s.began.Sub(begun))
		case s.token == 0 && s.answer != allowed && s.answer != refused:
			t.Errorf("the token that is over: %s", s.answer)
		case s.token == 0 && s.allow && s.began.After(first):
			t.Errorf("allowed %v after it was refused", s.began.Sub(first))
		}
	}
	return first
}

// eventsLogged is what the sidecar says of events.
func (sc *sidecar) eventsLogged(t *testing.T) string {
	t.Helper()
	var said []string
	for line := range strings.SplitSeq(testkit.ReadFile(t, sc.stderr), "\n") {
		if strings.Contains(line, "event") {
			said = append(said, line)
		}
	}
	return strings.Join(said, "\n")
}

// relay stands before the admin listener of a sidecar, and notes what comes.
type relay struct {
	*httptest.Server
	mu     sync.Mutex
	passed []passage
}

// passage is one request to the sidecar.
type passage struct {
	path           string
	body           []byte
	came, answered time.Time
	status         int
}

// newRelay passes on to a port of the loopback address.
func newRelay(t *testing.T, port int) *relay {
	t.Helper()
	to := &relay{}
	proxy := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(&url.URL{Scheme: "http", Host: addressOf(port)})
	}}
	to.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p := passage{path: r.URL.Path, came: time.Now()}
		body, err := io.ReadAll(io.LimitReader(r.Body, 1<<20))
		if err != nil {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		p.body, r.Body = body, io.NopCloser(bytes.NewReader(body))
		status := &noted{ResponseWriter: w}
		proxy.ServeHTTP(status, r)
		p.answered, p.status = time.Now(), status.status
		to.mu.Lock()
		defer to.mu.Unlock()
		to.passed = append(to.passed, p)
	}))
	t.Cleanup(to.Close)
	return to
}

// noted remembers the status.
type noted struct {
	http.ResponseWriter
	status int
}

func (n *noted) WriteHeader(status int) {
	n.status = status
	n.ResponseWriter.WriteHeader(status)
}

// await is the first request that came after a moment and that means what is wanted.
func (to *relay) await(t *testing.T, after time.Time, what string, wanted func(passage) bool) passage {
	t.Helper()
	var found passage
	testkit.Within(t, 15*time.Second, "see "+what, func() bool {
		to.mu.Lock()
		passed := append([]passage(nil), to.passed...)
		to.mu.Unlock()
		for _, p := range passed {
			if p.came.After(after) && wanted(p) {
				found = p
				return true
			}
		}
		return false
	})
	return found
}
