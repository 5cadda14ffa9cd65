package access

import (
	"context"
	"maps"
	"slices"
	"strings"

	"github.com/authz-sidecar/sidecar/internal/authz"
)

// maxTries bounds the tokens that are tried for a refusal.
const maxTries = 256

// refusal is what a token gets that has every right that the policies name, where no token is enough: the reasons, in
// the words of the policy.
func (a *Analyst) refusal(ctx context.Context, k knownPart) string {
	texts := slices.DeleteFunc(slices.Sorted(maps.Keys(a.texts)), func(text string) bool {
		return strings.ContainsAny(text, " /%*") // prose and paths
	})
	token := someToken()
	for _, list := range []string{"scopes", "audiences", "roles", "groups", "permissions"} {
		token[list] = anySlice(texts)
	}
	tenant := "some-tenant"
	token["issuer"], token["client_id"], token["tenant"] = "some-issuer", "some-client", tenant
	token["subject"] = map[string]any{"id": "some-subject", "type": "user"}
	k.headers = maps.Clone(k.headers)
	if k.headers == nil {
		k.headers = map[string][]string{}
	}
	for _, name := range k.names {
		if k.headers[name] == nil {
			k.headers[name] = []string{tenant}
		}
	}
	var best *authz.Verdict
	for i, acr := range append([]string{""}, texts...) {
		if i > maxTries {
			break
		}
		token["auth"] = map[string]any{"acr": acr, "time": a.now.Unix(), "level": 1000}
		v := a.decide(ctx, document(k, token))
		if v != nil && !v.Allow && (best == nil || more(v, best)) {
			best = v
		}
	}
	if best == nil || len(best.Reasons) == 0 {
		return ""
	}
	var parts []string
	for _, r := range best.Reasons {
		text := r.Code
		if r.Message != "" {
			text += " (" + r.Message + ")"
		}
		parts = append(parts, text)
	}
	return strings.Join(parts, ", ")
}

// more reports whether v comes nearer to the one reason that no token changes than w: fewer reasons, and no challenge,
// which says what the client can do.
func more(v, w *authz.Verdict) bool {
	if len(v.Reasons) != len(w.Reasons) {
		return len(v.Reasons) < len(w.Reasons)
	}
	return v.Challenge == nil && w.Challenge != nil
}
