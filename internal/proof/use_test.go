package proof_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/proof"
	"github.com/authz-sidecar/sidecar/internal/testkit"
	"github.com/authz-sidecar/sidecar/internal/token"
)

// wantInUse asserts that err says that the proof is in use.
func wantInUse(t *testing.T, err error) *proof.InUse {
	t.Helper()
	other, ok := errors.AsType[*proof.InUse](err)
	if !ok || authz.KindOf(err) != authz.Unavailable {
		t.Fatalf("got %v, want that the proof is in use", err)
	}
	return other
}

func TestDPOP15_AProofInUseIsJudgedWhenItsRequestIsDecided(t *testing.T) {
	for name, c := range map[string]struct {
		end  func(*proof.Use)
		want string // outcome of the second request
	}{
		"answered":         {(*proof.Use).Keep, proof.OutcomeReplayed},
		"without a caller": {func(u *proof.Use) { u.Release() }, proof.OutcomeVerified},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := testkit.NewRegistry()
				h, p := newHolder(t), proofs(t, accepting(), r)
				q := asked(h.proof(t))
				first, err := p.Verify(h.bound(), as(token.DPoP), q, aTime)
				wantPass(t, "first", err)
				_, err = p.Verify(h.bound(), as(token.DPoP), q, aTime)
				other := wantInUse(t, err)
				wantInUse(t, p.Look(h.bound(), as(token.DPoP), q, aTime))
				over := make(chan bool)
				go func() { over <- other.Wait(t.Context()) }()
				synctest.Wait()
				select {
				case <-over:
					t.Fatal("waited for nothing")
				default:
				}
				c.end(first)
				if !<-over {
					t.Error("waited in vain")
				}
				err = verify(p, h.bound(), as(token.DPoP), q, aTime)
				if (err == nil) != (c.want == proof.OutcomeVerified) {
					t.Errorf("the second: %v", err)
				}
				wantRefusal(t, "the third", verify(p, h.bound(), as(token.DPoP), q, aTime), proof.CodeInvalidProof)
				counted := r.Nonzero(t, "sidecar_token_proofs_total")
				if len(counted) != 2 {
					t.Errorf("counted %v, want no outcome of a proof in use", counted)
				}
			})
		})
	}
}

func TestTheWaitForAProofInUseEndsWithItsOwnRequest(t *testing.T) {
	h, p := newHolder(t), proofs(t, accepting())
	q := asked(h.proof(t))
	first, err := p.Verify(h.bound(), as(token.DPoP), q, aTime)
	wantPass(t, "first", err)
	_, err = p.Verify(h.bound(), as(token.DPoP), q, aTime)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if wantInUse(t, err).Wait(ctx) {
		t.Error("the first is said to be decided")
	}
	first.Keep()
}

func TestDPOP15_AProofInUsePassesOnceEvenWhenItExpiresMeanwhile(t *testing.T) {
	h, p := newHolder(t), proofs(t, accepting(func(c *proof.Config) { c.DPoP.ReplayMaxEntries = 2 }))
	q := asked(h.proof(t))
	first, err := p.Verify(h.bound(), as(token.DPoP), q, aTime)
	wantPass(t, "first", err)
	later := aTime.Add(10 * time.Minute)
	fresh := func() *authz.Query { return asked(h.proof(t, claim("iat", later.Unix()))) }
	wantPass(t, "another, which drops what has expired", verify(p, h.bound(), as(token.DPoP), fresh(), later))
	_, err = p.Verify(h.bound(), as(token.DPoP), q, aTime) // by a clock that was read long ago
	wantInUse(t, err)
	if !first.Release() {
		t.Error("nothing was released")
	}
	wantPass(t, "the room is as it was", verify(p, h.bound(), as(token.DPoP), fresh(), later))
	if err := verify(p, h.bound(), as(token.DPoP), fresh(), later); authz.KindOf(err) != authz.Unavailable {
		t.Errorf("over the bound: %v", err)
	}
}

func TestAReleasedProofMakesRoom(t *testing.T) {
	h, p := newHolder(t), proofs(t, accepting(func(c *proof.Config) { c.DPoP.ReplayMaxEntries = 1 }))
	for i := range 3 {
		use, err := p.Verify(h.bound(), as(token.DPoP), asked(h.proof(t)), aTime)
		wantPass(t, fmt.Sprint(i), err)
		use.Release()
	}
}

func TestDPOP22_AnObservedProofInUseIsNotWaitedFor(t *testing.T) {
	h, p := newHolder(t), proofs(t, accepting(func(c *proof.Config) { c.DPoP.Replay = proof.ReplayObserve }))
	q := asked(h.proof(t))
	first, err := p.Verify(h.bound(), as(token.DPoP), q, aTime)
	wantPass(t, "first", err)
	second, err := p.Verify(h.bound(), as(token.DPoP), q, aTime)
	wantPass(t, "second", err)
	second.Keep()
	if second.Release() || !first.Release() {
		t.Error("the first alone has a use to release")
	}
}
