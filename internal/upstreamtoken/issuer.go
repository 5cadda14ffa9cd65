package upstreamtoken

import (
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/engine/verdict"
	"github.com/authz-sidecar/sidecar/internal/httpuri"
	"github.com/authz-sidecar/sidecar/internal/jose"
	"github.com/authz-sidecar/sidecar/internal/keyfile"
	"github.com/authz-sidecar/sidecar/internal/metrics"
	"github.com/authz-sidecar/sidecar/internal/recent"
	"github.com/authz-sidecar/sidecar/internal/secret"
	"github.com/authz-sidecar/sidecar/internal/status"
)

const (
	// maxClaims bounds the claims of a policy, in bytes of JSON: servers refuse headers of more than 8 KiB.
	maxClaims = 4 << 10
	// maxKept is the most tokens that are kept, at some 10 KiB each at most.
	maxKept = 2048
)

// Token is one token.
type Token struct {
	// ID is the jti.
	ID   string
	text secret.Text

	expires  authz.Time
	reusable time.Time // until then it is given out again
}

// Issuer makes tokens. It is safe for concurrent use. A nil Issuer makes none.
type Issuer struct {
	cfg  Config
	log  *slog.Logger
	made counts

	current atomic.Pointer[keys]

	reading sync.Mutex // guards what follows, and is held while files are read
	files   *keyfile.Files[*keys]
	looked  atomic.Int64                 // Unix nanoseconds of the last look
	fault   atomic.Pointer[status.Fault] // why the content of the files is not in use; nil mostly

	mu   sync.Mutex // guards what follows
	kept *recent.Map[string, Token]
}

// Deps are what an Issuer works with.
type Deps struct {
	Log *slog.Logger
	// Metrics is where tokens are counted; nil counts for itself.
	Metrics metrics.Registerer
}

// Open reads the keys. Without key files the Issuer is nil.
func Open(cfg Config, deps Deps) (*Issuer, error) {
	if cfg.Off() {
		return nil, nil
	}
	files, k, err := keyfile.Open(readKeys, parts(cfg.KeyFiles)...)
	if err != nil {
		return nil, fmt.Errorf("read keys of upstream tokens: %w", err)
	}
	i := &Issuer{cfg: cfg, log: deps.Log, files: files, kept: recent.New[string, Token](maxKept, 0)}
	i.count(deps.Metrics)
	i.current.Store(k)
	i.looked.Store(time.Now().UnixNano())
	return i, nil
}

// keys returns those of the files. Once a second one caller looks whether they changed; the others do not wait for it.
func (i *Issuer) keys() *keys {
	if time.Since(time.Unix(0, i.looked.Load())) >= lookEvery && i.reading.TryLock() {
		i.look()
		i.reading.Unlock()
	}
	return i.current.Load()
}

func (i *Issuer) look() {
	i.looked.Store(time.Now().UnixNano())
	k, changed, err := i.files.Look()
	switch {
	case err != nil:
		i.log.Warn("changed keys of upstream tokens cannot be used, the former ones are kept", "cause", err)
	case changed:
		k.after(i.current.Load(), i.cfg.Lifetime)
		i.current.Store(k)
		i.log.Info("keys of upstream tokens changed", "kid", k.kids[0])
	}
	i.setFault(i.files.Fault())
}

// Headers returns set, the headers of an allow, with that of the token: empty without claims. claims is a JSON object,
// or nil. The token of the request expires at the time expires; 0 is never. An error is Misconfigured.
func (i *Issuer) Headers(set []authz.Header, claims []byte, expires authz.Time, now time.Time) (
	[]authz.Header, Token, error) {
	own := httpuri.Variable(i.cfg.Header)
	out := make([]authz.Header, 0, len(set)+1)
	for _, h := range set {
		switch {
		case httpuri.Variable(h.Name) != own:
			out = append(out, h)
		case slices.ContainsFunc(h.Values, func(v string) bool { return v != "" }):
			i.made.failed.Add(1)
			return nil, Token{}, authz.Errorf(authz.Misconfigured,
				"sign upstream token: the policy sets %q too, in upstream_headers", i.cfg.Header)
		}
	}
	t := Token{}
	if claims == nil {
		i.made.none.Add(1)
	} else {
		var err error
		if t, err = i.token(claims, expires, now); err != nil {
			i.made.failed.Add(1)
			return nil, Token{}, authz.Errorf(authz.Misconfigured, "sign upstream token: %w", err)
		}
	}
	return append(out, authz.Header{Name: i.cfg.Header, Values: []string{t.text.Reveal()}}), t, nil
}

// token returns a token of claims: one that was made for equal claims, while half of its time is left and it does not
// outlive the token of the request, or a new one.
func (i *Issuer) token(claims []byte, expires authz.Time, now time.Time) (Token, error) {
	k := i.keys()
	of := k.kids[0] + string(claims)
	i.mu.Lock()
	t, ok := i.kept.Get(of, now)
	i.mu.Unlock()
	if ok && now.Before(t.reusable) && (expires == 0 || t.expires <= expires) {
		i.made.reused.Add(1)
		return t, nil
	}
	t, err := i.sign(k.signer, claims, expires, now)
	if err != nil {
		return Token{}, err
	}
	i.made.signed.Add(1)
	i.mu.Lock()
	i.kept.Put(of, t, now)
	i.mu.Unlock()
	return t, nil
}

func (i *Issuer) sign(by *jose.Signer, claims []byte, expires authz.Time, now time.Time) (Token, error) {
	if len(claims) > maxClaims {
		return Token{}, fmt.Errorf("the claims of the policy are over %d bytes", maxClaims)
	}
	of := map[string]any{}
	var own map[string]jsontext.Value
	if err := json.Unmarshal(claims, &own); err != nil {
		return Token{}, errors.New("the claims of the policy are no JSON object")
	}
	for name, v := range own {
		if verdict.IsReservedClaim(name) {
			return Token{}, fmt.Errorf("the claim %s is the sidecar's own", name)
		}
		of[name] = v
	}
	issued := authz.At(now)
	t := Token{ID: strings.ToLower(rand.Text()), expires: issued + authz.Time(i.cfg.Lifetime/time.Second)}
	if expires != 0 {
		t.expires = min(t.expires, expires)
	}
	t.reusable = time.Unix(int64(issued+t.expires)/2, 0)
	of["iss"], of["iat"], of["nbf"], of["exp"], of["jti"] = i.cfg.Issuer, issued, issued, t.expires, t.ID
	of["aud"] = any(i.cfg.Audience)
	if len(i.cfg.Audience) == 1 {
		of["aud"] = i.cfg.Audience[0]
	}
	var err error
	t.text, err = by.Sign("JWT", of)
	return t, err
}
