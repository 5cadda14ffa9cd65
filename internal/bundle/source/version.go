package source

import (
	"bytes"
	"reflect"
	"strings"

	"github.com/authz-sidecar/sidecar/internal/bundle"
	"github.com/authz-sidecar/sidecar/internal/bundle/archive"
	"github.com/authz-sidecar/sidecar/internal/bundle/dir"
)

// version is an archive that was good, with what came along.
type version struct {
	dir.Held
	raw      []byte // nil unless it may have to be persisted
	tag      string
	order    order
	isStored bool
}

// says reports whether a set is the same with w: it has the contents, and is signed by the same.
func (v *version) says(w *version) bool {
	return v.Digest == w.Digest && reflect.DeepEqual(v.Signed, w.Signed)
}

// stillSigned reports whether the keys, as they are now, verify what is held: a key may have been withdrawn. The
// archive goes on deciding until another one comes.
func (s *source) stillSigned() error {
	if s.keys == nil {
		return nil
	}
	if _, err := s.keys.Verify(s.newest().Archive); err != nil {
		return err
	}
	return nil
}

// version reads an archive and verifies it. The error is bundle.Problems.
func (s *source) version(a answer) (*version, error) {
	read := a.read
	if read == nil {
		var err error
		read, err = archive.Read(s.cfg.Name, bytes.NewReader(a.raw), archive.Limits{Compressed: s.cfg.MaxBytes})
		if err != nil {
			return nil, err
		}
	}
	v := &version{tag: a.tag}
	v.Archive = read
	if s.keys != nil {
		signed, err := s.keys.Verify(read)
		if err != nil {
			return nil, err
		}
		v.Signed = signed
	}
	v.order = orderOf(read)
	if s.store != nil {
		v.raw = a.raw
	}
	return v, nil
}

// downgrade is why a version must not replace the active one: it is older.
func (s *source) downgrade(next *version) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.note = ""
	if s.active == nil || s.active.Digest == next.Digest {
		return nil
	}
	older, note := next.order.olderThan(s.active.order)
	s.note = note
	if older == "" || s.cfg.Downgrade == "allow" {
		return nil
	}
	return bundle.Problems{{File: s.cfg.Name, Code: codeDowngrade, Message: older +
		": a downgrade is refused; policies.sources[].downgrade allow permits it"}}
}

// codeDowngrade is the code of an archive that is older than the one that decides.
const codeDowngrade = "downgrade_error"

// about is what log lines tell of a version.
func (s *source) about(v *version) []any {
	args := []any{"source", s.cfg.Name, "revision", v.order.revision, "digest", v.Digest}
	if signers := signersOf(v.Signed); len(signers) > 0 {
		args = append(args, "signers", strings.Join(signers, ", "))
	}
	return args
}

func signersOf(s bundle.Signed) []string {
	var out []string
	for _, by := range s.Signers {
		out = append(out, by.String())
	}
	return out
}
