package status

import (
	"time"

	"github.com/authz-sidecar/sidecar/internal/authz"
)

// Source is the state of one source of policies that is an archive.
type Source struct {
	Name string `json:"name"`
	// Kind is file, http or oci.
	Kind string `json:"kind"`
	// Healthy is false while the newest question brought no good archive, and while the archive is stale.
	Healthy bool `json:"healthy"`
	// Revision, Digest and Signers are those of the newest archive that was good. Active is false while the policies
	// that decide have another one: it is about to be loaded, or the policies as a whole are refused.
	Revision string         `json:"revision,omitzero"`
	Digest   string         `json:"digest,omitzero"`
	Signers  []authz.Signer `json:"signers,omitempty"`
	// Reviewed is the digest of the review that a signature names.
	Reviewed string `json:"reviewed,omitzero"`
	Active   bool   `json:"active"`
	// Persisted is whether a start can use this archive without its server.
	Persisted bool `json:"persisted"`
	// ETag is what the server calls this version.
	ETag        string `json:"etag,omitzero"`
	LongPolling bool   `json:"long_polling,omitzero"`
	// LastAsked and LastAnswered are of the server; an answer may be one that is refused. Confirmed is when it last
	// said that this archive is its newest.
	LastAsked    time.Time `json:"last_asked,omitzero"`
	LastAnswered time.Time `json:"last_answered,omitzero"`
	Confirmed    time.Time `json:"confirmed,omitzero"`
	// Stale is whether Confirmed is longer ago than max_age.
	Stale bool `json:"stale"`
	// Errors are why the newest question brought no good archive; absent when it did. FailingSince is when that began.
	Errors       []Problem `json:"errors,omitempty"`
	FailingSince time.Time `json:"failing_since,omitzero"`
	// Note says that it cannot be told whether the newest archive is newer than the one before, or that the server
	// sends no ETag.
	Note string `json:"note,omitzero"`
}
