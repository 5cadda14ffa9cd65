package policytest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/config"
	"github.com/authz-sidecar/sidecar/internal/decisionlog"
	"github.com/authz-sidecar/sidecar/internal/engine"
	"github.com/authz-sidecar/sidecar/internal/input"
)

// maxBootstrapped bounds the cases of a first suite.
const maxBootstrapped = 500

// ErrNothingToReplay is the error of Bootstrap for a log without a decision that a suite can state.
var ErrNothingToReplay = errors.New("no event can be replayed")

// Bootstrap writes a first suite from a decision log: each distinct request with each distinct token, and what was
// decided. An event gets a case only where policy, with the configuration cfg, reads the same document again; and,
// where its policy is that of the event, decides the same. How many do not, and why, is said in comments at the top.
// source names the log there.
func Bootstrap(
	ctx context.Context, log io.Reader, source string, cfg *config.Config, policy *engine.Policy,
) ([]byte, error) {
	b := &bootstrap{
		cfg: cfg, policy: policy, suite: Suite{issuers: configuredIssuers(cfg), tokens: map[string]answer{}},
		tokens: map[string]*loggedToken{}, rows: map[string]*loggedRow{}, done: map[string]bool{}, out: leftOut{},
	}
	r := decisionlog.NewReader(log)
	for {
		e, err := r.Next()
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		if _, noEvent := errors.AsType[*decisionlog.LineError](err); noEvent {
			b.out.add("line holds no event")
			continue
		}
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, fmt.Errorf("read %s: %w", source, err)
		}
		b.events++
		if why := b.event(ctx, e); why != "" {
			b.out.add(why)
		}
	}
	if b.cases == 0 {
		return nil, fmt.Errorf("read %s: %w of %d: %s", source, ErrNothingToReplay, b.events, b.out.text())
	}
	return b.write(source), nil
}

// bootstrap is what was taken from a log so far.
type bootstrap struct {
	cfg    *config.Config
	policy *engine.Policy
	// suite has the tokens and the time, for trying cases.
	suite  Suite
	tokens map[string]*loggedToken // by their claims without those that each token has anew
	names  []string                // of tokens, in the order of the log
	rows   map[string]*loggedRow   // by everything but the token
	order  []*loggedRow
	done   map[string]bool // cases that were tried, with their outcome
	out    leftOut
	events int
	cases  int
}

// loggedToken is a token of the log.
type loggedToken struct {
	name string
	seen time.Time
}

// loggedRow is a request of the log, and what each token got.
type loggedRow struct {
	name  string
	c     testCase
	cells map[string]string // YAML, by the name of a token
	order []string
}

// event takes one event, or says why it cannot.
func (b *bootstrap) event(ctx context.Context, e *decisionlog.Event) (why string) {
	doc, err := e.Document()
	switch {
	case len(e.Missing()) > 0:
		return "lacks what a mask of the log left out: " + strings.Join(e.Missing(), ", ")
	case e.Facts.Kind != authz.Allow.String() && e.Facts.Kind != authz.Deny.String():
		return "was decided by no policy: " + e.Facts.Kind
	case err != nil:
		return "has no input that can be read"
	case !doc.HasRequest():
		return "is about no HTTP request"
	case doc.Request.BodyTruncated:
		return "has a body that was cut"
	}
	c := testCase{query: authz.Query{Entrypoint: e.Path, Request: requestOf(doc), Context: doc.Context}}
	if e.Path == b.cfg.Decision.Entrypoint {
		c.query.Entrypoint = ""
	} else if !b.policy.Has(e.Path) {
		return "asked a rule that may not be asked now: " + e.Path
	}
	if doc.Token.Binding.Verified {
		c.key = keyShown
	}
	t := b.token(doc, e.Time)
	if t != nil {
		c.token = t.name
	}
	if b.suite.now.IsZero() {
		b.suite.now = e.Time.UTC().Truncate(time.Second)
	}
	key, cell := keyOf(&c), cellOf(e)
	if tried := key + "\n" + cell; b.done[tried] {
		return ""
	} else if b.cases >= maxBootstrapped {
		return fmt.Sprintf("is over the %d cases of a first suite", maxBootstrapped)
	} else {
		b.done[tried] = true
	}
	times := []time.Time{b.suite.now, e.Time}
	if t != nil {
		times = []time.Time{b.suite.now, t.seen, e.Time}
	}
	for _, now := range times {
		c.now = now.UTC()
		if why = b.try(ctx, &c, e, doc); why == "" {
			return b.take(c, cell)
		}
	}
	return why
}

// try decides a case, and says how it differs from its event.
func (b *bootstrap) try(ctx context.Context, c *testCase, e *decisionlog.Event, doc *input.Document) string {
	point, query, err := b.suite.prepare(ctx, b.policy, b.cfg, c)
	if err != nil {
		return "has a token that this configuration cannot read"
	}
	again := point.Explain(ctx, query)
	if again.Why.Document == nil {
		return "has a request or a token that this configuration refuses: " + again.Decision.Kind.String()
	}
	if at := difference(lastingOf(doc), lastingOf(again.Why.Document), "/input"); at != "" {
		return "has a request or a token that this configuration reads otherwise: " + at
	}
	if e.Facts.PolicyDigest == b.policy.Digest() && cellOf(e) != cellOfDecision(&again.Decision) {
		return "is decided otherwise by the same policy: it depends on the age of facts, on chance or on the network"
	}
	return ""
}

// take adds a cell.
func (b *bootstrap) take(c testCase, cell string) (why string) {
	token := c.token
	c.token = ""
	key := keyOf(&c) + c.now.String()
	row := b.rows[key]
	if row == nil {
		row = &loggedRow{name: b.rowName(&c), c: c, cells: map[string]string{}}
		b.rows[key] = row
		b.order = append(b.order, row)
	}
	if token == "" {
		token = noToken
	}
	if old, ok := row.cells[token]; !ok {
		row.order = append(row.order, token)
		b.cases++
	} else if old != cell {
		why = "was decided otherwise later"
	}
	row.cells[token] = cell
	return why
}

// rowName is what a request is called: unique, and short.
func (b *bootstrap) rowName(c *testCase) string {
	name := c.query.Request.Method + " " + shown(c.query.Request.URL)
	if c.query.Entrypoint != "" {
		name += " asks " + c.query.Entrypoint
	}
	if !c.now.Equal(b.suite.now) {
		name += " at " + c.now.Format(time.RFC3339)
	}
	taken := func(name string) bool {
		for _, r := range b.order {
			if r.name == name {
				return true
			}
		}
		return false
	}
	for i, first := 2, name; taken(name); i++ {
		name = fmt.Sprintf("%s (%d)", first, i)
	}
	return name
}

// keyOf is equal for equal questions.
func keyOf(c *testCase) string {
	b, _ := json.Marshal([]any{c.token, c.key, c.query.Entrypoint, c.query.Request.Method, c.query.Request.URL,
		c.query.Request.Headers, c.query.Request.SourceIP, c.query.Request.Body, c.query.Request.HasBody,
		string(c.query.Context)}) // texts and lists of them
	return string(b)
}
