package fetch

import (
	"time"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/status"
)

// Status is how the value is kept, and how the newest attempt failed if it did; nil before the first attempt has
// ended.
func (v *Value[T]) Status() *status.Fetched {
	v.mu.Lock()
	defer v.mu.Unlock()
	k := v.kept.Load()
	if k == nil && v.failed == nil {
		return nil
	}
	s := &status.Fetched{}
	if k != nil {
		s.Fetched, s.Next = k.Began, k.renew
	}
	if v.failed != nil {
		s.Next = v.next(renewed)
		s.Since = v.failingSince
		s.Fault = FaultOf(v.failed, v.failedAt)
	}
	return s
}

// FaultOf tells of an error in a status. Like every error in this program it holds no token and no secret.
func FaultOf(err error, at time.Time) *status.LastFault {
	return &status.LastFault{At: at, Kind: authz.KindOf(err).String(), Cause: err.Error()}
}
