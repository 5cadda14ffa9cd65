package proof_test

import (
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/proof"
	"github.com/authz-sidecar/sidecar/internal/secret"
	"github.com/authz-sidecar/sidecar/internal/testkit"
	"github.com/authz-sidecar/sidecar/internal/token"
)

func TestDPOP15_AProofPassesOnce(t *testing.T) {
	h, other, p := newHolder(t), newHolder(t), proofs(t, accepting())
	one := h.proof(t, claim("jti", "once"))
	wantPass(t, "first", shown(p, h.bound(), one))
	wantRefusal(t, "again", shown(p, h.bound(), one), proof.CodeInvalidProof)
	wantRefusal(t, "a new proof of the same jti", shown(p, h.bound(),
		h.proof(t, claim("jti", "once"), claim("iat", aTime.Unix()-20))), proof.CodeInvalidProof)
	wantPass(t, "the same jti of another client", shown(p, other.bound(), other.proof(t, claim("jti", "once"))))
	q := asked(h.proof(t, claim("jti", "once"), claim("htu", "https://api.example/others")))
	q.Request.URL = "https://api.example/others"
	wantPass(t, "the same jti for another URI", verify(p, h.bound(), as(token.DPoP), q, aTime))
	wantPass(t, "a jti of 256 bytes", shown(p, h.bound(), h.proof(t, claim("jti", strings.Repeat("x", 256)))))
	wantRefusal(t, "a longer one", shown(p, h.bound(), h.proof(t, claim("jti", strings.Repeat("x", 257)))),
		proof.CodeInvalidProof)
}

func TestDPOP15_ARefusedProofIsNotUsedUp(t *testing.T) {
	h := newHolder(t)
	p := proofs(t, accepting(func(c *proof.Config) { c.DPoP.Nonce = proof.NonceRequired }))
	good := h.proof(t, claim("nonce", nonce(t, p, aTime)))
	q := asked(good)
	q.Request.Method = "POST"
	wantRefusal(t, "for another method", verify(p, h.bound(), as(token.DPoP), q, aTime), proof.CodeInvalidProof)
	wantRefusal(t, "with another token", verify(p, h.bound(),
		token.Credential{Token: secret.New("other"), Scheme: token.DPoP}, asked(good), aTime), proof.CodeInvalidProof)
	wantRefusal(t, "too late", verify(p, h.bound(), as(token.DPoP), asked(good), aTime.Add(time.Hour)),
		proof.CodeUseNonce)
	wantRefusal(t, "without the certificate", verify(p, authz.Confirmation{JKT: h.jkt, X5T: "x"}, as(token.DPoP),
		asked(good), aTime), proof.CodeInvalidToken)
	wantPass(t, "as it is meant", shown(p, h.bound(), good))
}

func TestDPOP15_AProofThatIsOnlyLookedAtIsNotUsedUp(t *testing.T) {
	r := testkit.NewRegistry()
	h, p := newHolder(t), proofs(t, accepting(), r)
	one := asked(h.proof(t))
	look := func() error { return p.Look(h.bound(), as(token.DPoP), one, aTime) }
	wantPass(t, "looked at", look())
	wantPass(t, "looked at again", look())
	wantRefusal(t, "another key", p.Look(newHolder(t).bound(), as(token.DPoP), one, aTime), proof.CodeInvalidToken)
	wantPass(t, "used", verify(p, h.bound(), as(token.DPoP), one, aTime))
	wantRefusal(t, "looked at after its use", look(), proof.CodeInvalidProof)
	if got := fmt.Sprint(r.Nonzero(t, "sidecar_token_proofs_total")); got !=
		`[sidecar_token_proofs_total{method="dpop",outcome="verified"} 1]` {
		t.Errorf("counted %s, want the one use", got)
	}
}

func TestDPOP15_OfAHundredAtOnceOnePasses(t *testing.T) {
	h, p := newHolder(t), proofs(t, accepting())
	for range 5 {
		one := h.proof(t)
		var passed atomic.Int64
		var all sync.WaitGroup
		start := make(chan struct{})
		for range 100 {
			all.Go(func() {
				<-start
				if shown(p, h.bound(), one) == nil {
					passed.Add(1)
				}
			})
		}
		close(start)
		all.Wait()
		if n := passed.Load(); n != 1 {
			t.Errorf("%d passed", n)
		}
	}
}

func TestDPOP15_NoMomentLetsAProofPassTwice(t *testing.T) {
	for name, window := range map[string]func(*proof.Config){
		"by iat":            func(*proof.Config) {},
		"by iat, short":     func(c *proof.Config) { c.DPoP.MaxAge, c.DPoP.FutureSkew = time.Second, 0 },
		"by iat, long skew": func(c *proof.Config) { c.DPoP.MaxAge, c.DPoP.FutureSkew = 5*time.Second, 5*time.Minute },
		"by nonce": func(c *proof.Config) {
			c.DPoP.Nonce, c.DPoP.NonceLifetime = proof.NonceRequired,
				90*time.Second
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				cfg := accepting(window)
				h, p := newHolder(t), proofs(t, cfg)
				time.Sleep(777 * time.Millisecond)
				changes := []change{claim("iat", time.Now().Add(cfg.DPoP.FutureSkew).Unix())}
				if cfg.DPoP.Nonce == proof.NonceRequired {
					changes = append(changes, claim("nonce", nonce(t, p, time.Now())))
				}
				one := h.proof(t, changes...)
				wantPass(t, "first", verify(p, h.bound(), as(token.DPoP), asked(one), time.Now()))
				for range 500 {
					time.Sleep(730 * time.Millisecond)
					if verify(p, h.bound(), as(token.DPoP), asked(one), time.Now()) == nil {
						t.Fatalf("passed again at %s", time.Now())
					}
					if n := nonceOrNone(p); n != "" { // others keep the store moving
						shownAt(p, h, t, claim("nonce", n))
					} else {
						shownAt(p, h, t)
					}
				}
			})
		})
	}
}

func nonceOrNone(p *proof.Verifier) string {
	for _, h := range p.ResponseHeaders(time.Now()) {
		if h.Name == "DPoP-Nonce" {
			return h.Values[0]
		}
	}
	return ""
}

func shownAt(p *proof.Verifier, h *holder, t *testing.T, changes ...change) {
	t.Helper()
	one := h.proof(t, append(changes, claim("iat", time.Now().Unix()))...)
	wantPass(t, "another proof", verify(p, h.bound(), as(token.DPoP), asked(one), time.Now()))
}

func TestDPOP15_AFullCacheIsUnavailableAndForgetsNoValidProof(t *testing.T) {
	h := newHolder(t)
	cfg := accepting(func(c *proof.Config) { c.DPoP.ReplayMaxEntries = 20 })
	p := proofs(t, cfg)
	first := h.proof(t)
	wantPass(t, "first", shown(p, h.bound(), first))
	for range 19 {
		wantPass(t, "while there is room", shown(p, h.bound(), h.proof(t)))
	}
	err := shown(p, h.bound(), h.proof(t))
	if authz.KindOf(err) != authz.Unavailable {
		t.Errorf("over the bound: %v", err)
	}
	wantRefusal(t, "the first again", shown(p, h.bound(), first), proof.CodeInvalidProof)
	later := aTime.Add(2 * time.Minute)
	wantPass(t, "when they have ended", verify(p, h.bound(), as(token.DPoP),
		asked(h.proof(t, claim("iat", later.Unix()))), later))
}

func TestDPOP22_ReplaysAreEnforcedObservedOrIgnored(t *testing.T) {
	h := newHolder(t)
	for mode, want := range map[proof.ReplayMode]string{
		proof.ReplayEnforce: `[replayed"} 1 verified"} 1]`,
		proof.ReplayObserve: `[replayed"} 1 verified"} 1]`,
		proof.ReplayOff:     `[verified"} 2]`,
	} {
		r := testkit.NewRegistry()
		p := proofs(t, accepting(func(c *proof.Config) { c.DPoP.Replay = mode }), r)
		one := h.proof(t)
		wantPass(t, string(mode), shown(p, h.bound(), one))
		if err := shown(p, h.bound(), one); (err != nil) != (mode == proof.ReplayEnforce) {
			t.Errorf("%s: the second time: %v", mode, err)
		}
		got := strings.ReplaceAll(fmt.Sprint(r.Nonzero(t, "sidecar_token_proofs_total")),
			`sidecar_token_proofs_total{method="dpop",outcome="`, "")
		if got != want {
			t.Errorf("%s: counted %s, want %s", mode, got, want)
		}
	}
}
