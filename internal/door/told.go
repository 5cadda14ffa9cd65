package door

import "github.com/authz-sidecar/sidecar/internal/authz"

// Told is what a caller whose protocol has a text for errors, and no member for a decision id, is told of a question
// without an answer: the first reason and the id, by which the log has the cause.
func Told(d *authz.Decision) string {
	message := "the question has no answer"
	if len(d.Reasons) > 0 {
		message = d.Reasons[0].Message
	}
	switch {
	case d.ID == "":
		return message
	case d.Kind == authz.Misconfigured || d.Kind == authz.Internal: // the message ends with "report the decision id"
		return message + " " + d.ID
	}
	return message + "; the decision id is " + d.ID
}
