package ssf

import (
	"strings"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/authz-sidecar/sidecar/internal/jose"
	"github.com/authz-sidecar/sidecar/internal/signals"
)

const (
	caep = "https://schemas.openid.net/secevent/caep/event-type/"
	risc = "https://schemas.openid.net/secevent/risc/event-type/"
	ssf  = "https://schemas.openid.net/secevent/ssf/event-type/"

	sessionRevoked     = caep + "session-revoked"
	verificationEvent  = ssf + "verification"
	streamUpdatedEvent = ssf + "stream-updated"
)

// evicting are the types of events after which an issuer may answer differently. A stream requests them.
func evicting() []string {
	return []string{
		sessionRevoked, caep + "token-claims-change", caep + "credential-change", caep + "assurance-level-change",
		caep + "device-compliance-change",
		risc + "account-disabled", risc + "account-purged", risc + "sessions-revoked",
		risc + "account-credential-change-required",
		risc + "credential-compromise", risc + "identifier-changed", risc + "identifier-recycled",
	}
}

// effect is what an event does.
type effect uint8

const (
	noEffect effect = iota
	evicts
)

// readEvent returns the effect of an event (CAEP 1.0 section 2) and when it happened; issued is when its token was
// issued. An event of an unknown type has no effect.
func readEvent(event string, raw jsontext.Value, issued, now time.Time) (effect, time.Time, error) {
	b, ok := jose.ReadClaims(raw)
	if !ok {
		return noEffect, issued, &setError{codeRequest, "an event in it is no object"}
	}
	at, ok := signals.Time(b, "event_timestamp") // a malformed one is ignored
	if !ok {
		at = issued
	}
	// The clock of the transmitter may be ahead, and the tokens that it means were issued by that clock. A time
	// further ahead is ignored: it would end tokens that do not exist yet.
	if at.After(now.Add(signals.ClockSkew)) {
		at = issued
	}
	for _, t := range evicting() {
		if event != t {
			continue
		}
		// A new credential leaves tokens as they are; every other change of one may end them.
		if strings.HasSuffix(event, "/credential-change") && string(b.Value("change_type")) == `"create"` {
			return noEffect, at, nil
		}
		return evicts, at, nil
	}
	return noEffect, at, nil
}
