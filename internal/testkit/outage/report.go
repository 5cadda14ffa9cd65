package outage

import (
	"fmt"
	"io"
	"sync"
	"text/tabwriter"
	"time"
)

// Row is what became of the requests of one outage and of the calm after it.
type Row struct {
	Phase string
	// Known and KnownAllowed are requests with tokens that the sidecar knows, and how many of them it allowed.
	Known, KnownAllowed int
	// Unknown are requests with other tokens. Each is answered by the truth, or is unavailable with a Retry-After.
	Unknown, Answered, Unavailable int
	// Latency is that of the slowest decision, UpstreamCalls the most questions that the server had at once.
	Latency       time.Duration
	UpstreamCalls int
	// Recovery is when, after the server's return, the last request was sent that did not get its true answer.
	Recovery time.Duration
	// AnsweredAfter are requests with unknown tokens that were answered by the truth after the return.
	AnsweredAfter int
	// WrongAllows are allows of tokens that the server never vouched for, Wrong401s refusals of good tokens as bad.
	WrongAllows, Wrong401s int
	// Strange is the first answer that is none of these; empty when there is none.
	Strange string
}

// Bounds are what a drill must keep to.
type Bounds struct {
	// Deadline is the time in which every request must be answered, Recovery that in which all must be well again.
	Deadline, Recovery time.Duration
	// UpstreamCalls is how many questions the server may have at once.
	UpstreamCalls int
}

// Faults says what was wrong.
func (r Row) Faults(b Bounds) (faults []string) {
	for _, c := range []struct {
		holds bool
		text  string
	}{
		{r.Known > 0 && r.Unknown > 0, "nothing was asked"},
		{r.KnownAllowed == r.Known, fmt.Sprintf("%d of %d requests with known tokens were not allowed",
			r.Known-r.KnownAllowed, r.Known)},
		{r.WrongAllows == 0, fmt.Sprintf("%d wrong allows", r.WrongAllows)},
		{r.Wrong401s == 0, fmt.Sprintf("%d good tokens were refused as bad", r.Wrong401s)},
		{r.Strange == "", "a request with an unknown token got " + r.Strange},
		{r.Latency <= b.Deadline, fmt.Sprintf("the slowest decision took %v, over %v", r.Latency, b.Deadline)},
		{r.UpstreamCalls <= b.UpstreamCalls,
			fmt.Sprintf("the server had %d questions at once, over %d", r.UpstreamCalls, b.UpstreamCalls)},
		{r.Recovery <= b.Recovery, fmt.Sprintf("requests still failed %v after the return, over %v", r.Recovery,
			b.Recovery)},
		{r.AnsweredAfter > 0, "nothing was answered after the return"},
	} {
		if !c.holds {
			faults = append(faults, r.Phase+": "+c.text)
		}
	}
	return faults
}

// Write prints rows as a table.
func Write(w io.Writer, rows []Row, b Bounds) error {
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintln(tw, "server\tknown: allowed\tunknown: answered\t503 + Retry-After\tslowest "+
		"(deadline)\tcalls at once (limit)\trecovery\twrong allows\twrong 401s")
	for _, r := range rows {
		_, _ = fmt.Fprintf(tw, "%s\t%d of %d\t%d\t%d\t%d ms (%d)\t%d (%d)\t%d ms\t%d\t%d\n", r.Phase, r.KnownAllowed,
			r.Known, r.Answered, r.Unavailable,
			r.Latency.Milliseconds(), b.Deadline.Milliseconds(), r.UpstreamCalls, b.UpstreamCalls,
			r.Recovery.Milliseconds(), r.WrongAllows, r.Wrong401s)
	}
	return tw.Flush()
}

// tally counts for one row.
type tally struct {
	server *Server

	mu   sync.Mutex
	row  Row
	back time.Time // zero before the server's return
}

func (t *tally) returned(at time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.back = at
}

// well reports whether requests with unknown tokens have been answered by the truth for a while.
func (t *tally) well(since time.Duration) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.row.AnsweredAfter > 0 && time.Since(t.back.Add(t.row.Recovery)) >= since
}

// count judges one answer by what is true.
func (t *tally) count(token string, c class, start time.Time, took time.Duration, a answer) {
	confirmed := t.server.confirmed(token)
	t.mu.Lock()
	defer t.mu.Unlock()
	r := &t.row
	r.Latency = max(r.Latency, took)
	after := !t.back.IsZero() && !start.Before(t.back)
	if a.allowed() && (c == isRubbish || !confirmed) {
		r.WrongAllows++
	}
	if a.Kind == "unauthenticated" && c != isRubbish {
		r.Wrong401s++
	}
	if c == isKnown {
		r.Known++
		if a.allowed() {
			r.KnownAllowed++
		}
		return
	}
	r.Unknown++
	switch {
	case c == isNew && a.allowed(), c == isRubbish && a.err == nil && a.Kind == "unauthenticated" && a.Status == 401:
		r.Answered++
		if after {
			r.AnsweredAfter++
		}
		return
	case a.err == nil && a.Kind == "unavailable" && a.Status == 503 && len(a.Headers["Retry-After"]) == 1:
		r.Unavailable++
	case r.Strange == "":
		r.Strange = a.String()
	}
	if after {
		r.Recovery = max(r.Recovery, start.Sub(t.back))
	}
}
