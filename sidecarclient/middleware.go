package sidecarclient

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
)

// MiddlewareConfig says how requests are guarded.
type MiddlewareConfig struct {
	// Client asks the sidecar. It is required.
	Client *Client
	// Question returns what the sidecar is asked about a request, for another source address, a context or a
	// certificate; nil is RequestFrom.
	Question func(*http.Request) Request
	// Obligations honour what policies attach to decisions, by the type of the obligation. One without a handler here
	// refuses the request.
	Obligations map[string]ObligationHandler
	// OnRefuse answers a request that is refused; nil is Refusal.Write.
	OnRefuse func(http.ResponseWriter, *http.Request, Refusal)
	// Log gets a line for each request that was refused without a decision, and for each obligation that was not
	// honoured; nil is slog.Default.
	Log *slog.Logger
}

// ObligationHandler honours an obligation before the application is called. An error refuses the request.
// FromContext(r.Context()) has the decision.
type ObligationHandler func(r *http.Request, o Obligation) error

// HonouredByApplication is the handler of obligations that the application itself honours, by Decision.Obligations.
func HonouredByApplication(*http.Request, Obligation) error { return nil }

// Middleware returns a handler that asks the sidecar about each request and calls next only when it is allowed:
//
//   - allow: next gets the request with the upstream headers of the decision in place of what the client sent under
//     their names, in any case and with any punctuation. The headers of the decision are in the answer, unless next
//     replaces them. FromContext has the decision.
//   - deny: the client gets status and headers of the decision. Obligations that have a handler are honoured.
//   - an obligation that has no handler, or whose handler fails: 500. The others are honoured.
//   - no decision (the sidecar is not reached, is late, fails, or answers something else than a sound decision): 503
//     with Retry-After.
//   - the call itself was wrong (CallError): 500. It is an error of this program.
//
// The body of the request is not read, and the ResponseWriter is handed on as it is, so that streams and upgrades
// work. Middleware panics when there is no Client.
func Middleware(cfg MiddlewareConfig) func(next http.Handler) http.Handler {
	if cfg.Client == nil {
		panic("sidecarclient: MiddlewareConfig has no Client")
	}
	if cfg.Question == nil {
		cfg.Question = RequestFrom
	}
	if cfg.OnRefuse == nil {
		cfg.OnRefuse = func(w http.ResponseWriter, _ *http.Request, refusal Refusal) { refusal.Write(w) }
	}
	cfg.Obligations = maps.Clone(cfg.Obligations)
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			allowed, refusal := cfg.guard(r)
			if refusal != nil {
				cfg.OnRefuse(w, r, *refusal)
				return
			}
			d, _ := FromContext(allowed.Context())
			maps.Copy(w.Header(), d.Headers.Clone())
			next.ServeHTTP(w, allowed)
		})
	}
}

// guard returns r as the application may have it, or why it may not.
func (cfg *MiddlewareConfig) guard(r *http.Request) (*http.Request, *Refusal) {
	d, err := cfg.Client.Decide(r.Context(), cfg.Question(r))
	if err != nil {
		cfg.report(r, "no decision: the request is refused", err)
		refusal := noDecision(err)
		return nil, &refusal
	}
	r = r.WithContext(context.WithValue(r.Context(), decisionKey{}, &d))
	if err = cfg.honour(r, &d); err != nil {
		cfg.report(r, "an obligation is not honoured: the request is refused", err)
	}
	switch {
	case !d.Allow:
		return nil, &Refusal{Status: d.Status, Headers: d.Headers, Decision: &d, Err: err}
	case err != nil:
		return nil, &Refusal{Status: http.StatusInternalServerError, Decision: &d, Err: err}
	}
	r.Header = replace(r.Header, d.UpstreamHeaders)
	return r, nil
}

// honour calls the handlers of all obligations, also where one is missing or fails: AuthZEN Profile for Obligations,
// draft 1, on non-compliance.
func (cfg *MiddlewareConfig) honour(r *http.Request, d *Decision) error {
	var errs []error
	for _, o := range d.Obligations {
		handler := cfg.Obligations[o.Type]
		if handler == nil {
			errs = append(errs, fmt.Errorf("honour obligation %q: no handler is registered for its type", o.Type))
		} else if err := handler(r, o); err != nil {
			errs = append(errs, fmt.Errorf("honour obligation %q: %w", o.Type, err))
		}
	}
	return errors.Join(errs...)
}

func (cfg *MiddlewareConfig) report(r *http.Request, message string, err error) {
	log := cfg.Log
	if log == nil {
		log = slog.Default()
	}
	attrs := []any{"error", err.Error()}
	if d, ok := FromContext(r.Context()); ok {
		attrs = append(attrs, "decision_id", d.ID)
	}
	level := slog.LevelError
	if errors.Is(err, context.Canceled) {
		level = slog.LevelDebug // the client left
	}
	log.Log(r.Context(), level, message, attrs...)
}

type decisionKey struct{}

// FromContext returns the decision about the request whose context ctx is: inside the handler that Middleware guards.
func FromContext(ctx context.Context) (*Decision, bool) {
	d, ok := ctx.Value(decisionKey{}).(*Decision)
	return d, ok
}
