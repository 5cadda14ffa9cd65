package events

import (
	"strings"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/authz-sidecar/sidecar/internal/jose"
)

const (
	caep = "https://schemas.openid.net/secevent/caep/event-type/"
	risc = "https://schemas.openid.net/secevent/risc/event-type/"
	ssf  = "https://schemas.openid.net/secevent/ssf/event-type/"

	sessionRevoked     = caep + "session-revoked"
	verificationEvent  = ssf + "verification"
	streamUpdatedEvent = ssf + "stream-updated"
)

// wanted are the events after which an issuer may answer otherwise than before. They are asked for when a stream is made.
func wanted() []string {
	return []string{
		sessionRevoked, caep + "token-claims-change", caep + "credential-change", caep + "assurance-level-change",
		caep + "device-compliance-change",
		risc + "account-disabled", risc + "account-purged", risc + "sessions-revoked", risc + "account-credential-change-required",
		risc + "credential-compromise", risc + "identifier-changed", risc + "identifier-recycled",
	}
}

// meaning is what an event calls for.
type meaning uint8

const (
	meansNothing meaning = iota
	meansEvict
)

// read returns what an event calls for (CAEP 1.0 section 2) and when it happened; before is when the token that told of it was made. An event of
// a type that is not known calls for nothing.
func read(event string, raw jsontext.Value, made, now time.Time) (meaning, time.Time, error) {
	b, ok := jose.ReadClaims(raw)
	if !ok {
		return meansNothing, made, &fault{codeRequest, "an event in it is no object"}
	}
	at, ok := moment(b, "event_timestamp") // one that cannot be read bounds nothing
	if !ok {
		at = made
	}
	// The clock of the transmitter may be ahead of ours, and the tokens that it means were issued by that clock. Further ahead,
	// the time is none: tokens that do not exist yet would be over.
	if at.After(now.Add(leeway)) {
		at = made
	}
	for _, w := range wanted() {
		if event != w {
			continue
		}
		// A new credential takes nothing from tokens; anything else that may be said of one does.
		if strings.HasSuffix(event, "/credential-change") && string(b.Value("change_type")) == `"create"` {
			return meansNothing, at, nil
		}
		return meansEvict, at, nil
	}
	return meansNothing, at, nil
}
