package policytest

import (
	"fmt"
	"iter"
	"slices"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/authz-sidecar/sidecar/internal/authz"
)

// differences has a line for everything in which d is not as stated.
func (e *expectation) differences(d *authz.Decision) []string {
	var out []string
	differ := func(what string, got, want any) {
		out = append(out, fmt.Sprintf("%s: got %v, want %v", what, got, want))
	}
	if got := d.Kind.String(); e.kind != "" && got != e.kind {
		differ("kind", got, e.kind)
	}
	if e.refused && d.Kind == authz.Allow {
		differ("kind", d.Kind, "any other")
	}
	if e.status != 0 && d.Status != e.status {
		differ("status", d.Status, e.status)
	}
	if e.reasons != nil {
		if got, want := codes(d.Reasons), distinct(slices.Values(*e.reasons)); !slices.Equal(got, want) {
			differ("reasons", got, want)
		}
	}
	if e.challenge != nil {
		got, want := strings.Join(valuesOf(d.Headers, "WWW-Authenticate"), ", "), *e.challenge
		if got == "" {
			got = "none"
		}
		if got != want {
			differ("challenge", got, want)
		}
	}
	out = append(out, headerDifferences("headers", d.Headers, e.headers)...)
	out = append(out, headerDifferences("upstream_headers", d.UpstreamHeaders, e.upstreamHeaders)...)
	if e.context != nil {
		if got, want := canonical(d.JoinedContext()), canonical(e.context); got != want {
			differ("context", got, want)
		}
	}
	if e.obligations != nil {
		got := d.Obligations
		if got == nil {
			got = []byte("[]")
		}
		if got, want := canonical(got), canonical(e.obligations); got != want {
			differ("obligations", got, want)
		}
	}
	return out
}

// codes are those of reasons, each once: two reasons may have one code and differ in their messages.
func codes(reasons []authz.Reason) []string {
	return distinct(func(yield func(string) bool) {
		for _, r := range reasons {
			if !yield(r.Code) {
				return
			}
		}
	})
}

func distinct(texts iter.Seq[string]) []string { return slices.Compact(slices.Sorted(texts)) }

func headerDifferences(what string, have []authz.Header, want map[string][]string) []string {
	var out []string
	for name, w := range want {
		if got := valuesOf(have, name); !slices.Equal(got, w) {
			out = append(out, fmt.Sprintf("%s: %s: got %q, want %q", what, name, got, w))
		}
	}
	slices.Sort(out)
	return out
}

// valuesOf returns all values of the fields with a name.
func valuesOf(headers []authz.Header, name string) []string {
	var out []string
	for _, h := range headers {
		if strings.EqualFold(h.Name, name) {
			out = append(out, h.Values...)
		}
	}
	return out
}

// canonical is JSON in the one form that equal values share (RFC 8785).
func canonical(raw []byte) string {
	if len(raw) == 0 {
		return "nothing"
	}
	v := jsontext.Value(raw).Clone()
	if err := v.Canonicalize(); err != nil {
		return string(raw)
	}
	return string(v)
}
