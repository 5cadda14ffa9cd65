package proof

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"sync/atomic"
	"time"
)

const (
	nonceTimeBytes = 8
	nonceMACBytes  = 16
	minNonceSecret = 32
)

// nonces issues and verifies DPoP nonces without storing any (RFC 9449 sections 9 and 11.3): a nonce is a time and its
// MAC. The key of the MAC changes with each epoch, which is as long as the lifetime of a nonce, so the nonces of two
// epochs are valid at any moment. Replicas with the same secret accept each other's nonces.
type nonces struct {
	secret   []byte
	lifetime time.Duration
	skew     time.Duration // between the clocks of replicas
	latest   atomic.Pointer[nonce]
}

type nonce struct {
	second int64
	text   string
}

func newNonces(cfg DPoPConfig) (*nonces, error) {
	n := &nonces{lifetime: max(cfg.NonceLifetime, time.Second), skew: min(cfg.FutureSkew, cfg.NonceLifetime)}
	if cfg.NonceSecret.IsZero() {
		n.secret = make([]byte, sha256.Size)
		_, _ = rand.Read(n.secret) // never fails, by its own documentation
		return n, nil
	}
	s, err := cfg.NonceSecret.Read()
	if err != nil {
		return nil, err
	}
	if n.secret = []byte(s.Reveal()); len(n.secret) < minNonceSecret {
		return nil, errors.New("read secret: it has less than 32 bytes")
	}
	return n, nil
}

// issue returns the nonce of the second of now. Requests of one second share it: a nonce is unpredictable, not unique.
func (n *nonces) issue(now time.Time) string {
	second := now.Unix()
	if last := n.latest.Load(); last != nil && last.second == second {
		return last.text
	}
	b := binary.BigEndian.AppendUint64(make([]byte, 0, nonceTimeBytes+nonceMACBytes), uint64(second))
	b = append(b, n.mac(second)...)
	issued := &nonce{second, base64.RawURLEncoding.EncodeToString(b)}
	n.latest.Store(issued)
	return issued.text
}

// verify returns when a nonce was issued, if it was issued with this secret and has not expired.
func (n *nonces) verify(text string, now time.Time) (time.Time, bool) {
	const length = nonceTimeBytes + nonceMACBytes
	if len(text) != base64.RawURLEncoding.EncodedLen(length) {
		return time.Time{}, false
	}
	b, err := base64.RawURLEncoding.Strict().DecodeString(text)
	if err != nil || len(b) != length { // the decoder skips line breaks
		return time.Time{}, false
	}
	second := int64(binary.BigEndian.Uint64(b))
	if !hmac.Equal(b[nonceTimeBytes:], n.mac(second)) {
		return time.Time{}, false
	}
	at := time.Unix(second, 0)
	age := now.Sub(at)
	return at, age >= -n.skew && age <= n.lifetime
}

func (n *nonces) mac(second int64) []byte {
	var number [nonceTimeBytes]byte
	binary.BigEndian.PutUint64(number[:], uint64(second/int64(n.lifetime/time.Second)))
	key := hmac.New(sha256.New, n.secret)
	_, _ = key.Write([]byte("sidecar dpop nonce of epoch "))
	_, _ = key.Write(number[:])
	mac := hmac.New(sha256.New, key.Sum(nil))
	binary.BigEndian.PutUint64(number[:], uint64(second))
	_, _ = mac.Write(number[:])
	return mac.Sum(nil)[:nonceMACBytes]
}
