// Package secret holds text that must never be printed, and its keyed fingerprint.
package secret

import (
	"bytes"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"hash"
	"io"
	"log/slog"
	"os"
	"sync"
)

const redacted = "[redacted]"

// Text is a credential. Every ordinary way of printing it yields "[redacted]".
//
// The string is held by pointer because fmt cannot call the methods of a Text in an unexported field of another
// struct; it prints an address instead.
type Text struct{ s *string }

// New wraps s.
func New(s string) Text { return Text{&s} }

// Reveal returns the credential. Call it only where it leaves the process.
func (t Text) Reveal() string {
	if t.s == nil {
		return ""
	}
	return *t.s
}

// Empty reports whether there is no credential.
func (t Text) Empty() bool { return t.s == nil || *t.s == "" }

func (Text) String() string { return redacted }

// GoString returns "[redacted]".
func (Text) GoString() string { return redacted }

// Format prints "[redacted]" whatever the verb.
func (Text) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, redacted) }

// MarshalText writes "[redacted]" into JSON, YAML and their like.
func (Text) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// LogValue writes "[redacted]" into logs.
func (Text) LogValue() slog.Value { return slog.StringValue(redacted) }

// Source names where a secret is kept: in a file or in an environment variable, never in the configuration itself.
// Exactly one of the two is set; the zero Source names no secret.
type Source struct {
	File string `yaml:"file" doc:"File that holds the secret. One trailing newline is ignored, and a byte order mark in front."`
	Env  string `yaml:"env" doc:"Environment variable that holds the secret."`
}

// MaxBytes bounds a secret read from a file.
const MaxBytes = 64 << 10

// IsZero reports whether s names no secret.
func (s Source) IsZero() bool { return s == Source{} }

// Read returns the secret that s names. It is an error when s names none or two, or when what it names is empty.
func (s Source) Read() (Text, error) {
	switch {
	case s.File != "" && s.Env != "":
		return Text{}, fmt.Errorf("read secret: both a file and an environment variable are named")
	case s.File != "":
		return readFile(s.File)
	case s.Env != "":
		v, ok := os.LookupEnv(s.Env)
		if !ok {
			return Text{}, fmt.Errorf("read secret: environment variable %s is not set", s.Env)
		}
		if v == "" {
			return Text{}, fmt.Errorf("read secret: environment variable %s is empty", s.Env)
		}
		return New(v), nil
	}
	return Text{}, fmt.Errorf("read secret: neither a file nor an environment variable is named")
}

func readFile(name string) (Text, error) {
	f, err := os.Open(name)
	if err != nil {
		return Text{}, fmt.Errorf("read secret: %w", err)
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, MaxBytes+1))
	if err != nil {
		return Text{}, fmt.Errorf("read secret: %w", err)
	}
	if len(b) > MaxBytes {
		return Text{}, fmt.Errorf("read secret %q: over %d bytes", name, MaxBytes)
	}
	if bytes.HasPrefix(b, []byte("\xff\xfe")) || bytes.HasPrefix(b, []byte("\xfe\xff")) {
		return Text{}, fmt.Errorf("read secret %q: it is UTF-16, as PowerShell writes it: write it as UTF-8", name)
	}
	b = bytes.TrimPrefix(b, []byte("\ufeff"))
	b = bytes.TrimSuffix(bytes.TrimSuffix(b, []byte("\n")), []byte("\r"))
	if len(b) == 0 {
		return Text{}, fmt.Errorf("read secret %q: file is empty", name)
	}
	return New(string(b)), nil
}

// Fingerprinter names secrets without revealing them: HMAC-SHA256 under a key that lives and dies with it.
// It is safe for concurrent use.
type Fingerprinter struct{ pool sync.Pool }

// NewFingerprinter returns a Fingerprinter with a fresh random key.
func NewFingerprinter() *Fingerprinter {
	key := make([]byte, sha256.Size)
	_, _ = rand.Read(key) // never fails, by its own documentation
	return &Fingerprinter{pool: sync.Pool{New: func() any { return &mac{Hash: hmac.New(sha256.New, key)} }}}
}

type mac struct {
	hash.Hash
	buf []byte
	sum Fingerprint
}

// Fingerprint is a keyed digest. Equal inputs give equal fingerprints only within one process.
type Fingerprint [sha256.Size]byte

// Of returns the fingerprint of t in a scope. Each part is hashed with its length, so that no two
// different lists of parts give the same bytes.
func (f *Fingerprinter) Of(t Text, scope ...string) Fingerprint {
	m := f.pool.Get().(*mac)
	m.Reset()
	b := m.buf[:0]
	for _, s := range scope {
		b = appendPart(b, s)
	}
	b = appendPart(b, t.Reveal())
	_, _ = m.Write(b)
	clear(b)
	m.buf = b
	m.Sum(m.sum[:0])
	sum := m.sum
	f.pool.Put(m)
	return sum
}

func appendPart(b []byte, s string) []byte {
	b = binary.AppendUvarint(b, uint64(len(s)))
	return append(b, s...)
}
