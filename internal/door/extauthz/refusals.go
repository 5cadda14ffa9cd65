package extauthz

import (
	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/door"
	"github.com/authz-sidecar/sidecar/internal/door/extauthz/answer"
	"github.com/authz-sidecar/sidecar/internal/listen"
	"github.com/authz-sidecar/sidecar/internal/metrics"
)

// undecided is why checks of this door have no decision.
func undecided() []door.Undecided {
	return []door.Undecided{door.Stopping, door.NoKey, door.TooManyCalls, door.TooLarge, door.TooSlow, door.Unreadable,
		door.NoEntrypoint,
		door.Failed, door.Unfulfilled}
}

// outcomes counts checks.
type outcomes struct{ *door.Checks }

func newOutcomes(r metrics.Registerer) *outcomes {
	return &outcomes{door.NewChecks(r, "sidecar_door_extauthz_checks_total",
		"Checks of Envoy over gRPC, by the kind of the decision, or by why there is none.", undecided()...)}
}

// counted is the answer to a check that is refused without a decision, counted.
func (o *outcomes) counted(why door.Undecided) answer.Answer {
	o.Undecided(why)
	return refusal(why.Decision())
}

// limited is the answer to a check that is refused by over, counted.
func (o *outcomes) limited(over *listen.OverLimit) answer.Answer {
	o.Undecided(door.TooManyCalls)
	return refusal(door.Limited(over))
}

func refusal(d *authz.Decision) answer.Answer {
	mediaType, body := door.ClientBody(d)
	return answer.Refuse(answer.Refused{Kind: d.Kind, Status: d.Status, Headers: d.Headers, Type: mediaType,
		Body: body})
}

// decided counts a decision that was answered by a.
func (o *outcomes) decided(k authz.Kind, a answer.Answer) {
	if k == authz.Allow && !a.Passes() {
		o.Undecided(door.Unfulfilled)
		return
	}
	o.Decided(k)
}
