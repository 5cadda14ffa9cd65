package oauth

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"slices"
	"time"

	"github.com/authz-sidecar/sidecar/internal/secret"
)

const (
	maxCABytes          = 4 << 20
	maxCertificateBytes = 256 << 10
	// unsettled is how old a file must be before an unchanged time of modification says that its content is unchanged too:
	// file systems count time in ticks, and two changes can fall into one.
	unsettled = 2 * time.Second
)

// part is one of the texts that a credential is made of: its key in the configuration, its file if it has one, and how it is read.
type part struct {
	key, file string
	read      func() (secret.Text, error)
}

func secretPart(key string, s secret.Source) part { return part{key, s.File, s.Read} }

func filePart(key, name string, limit int64) part {
	return part{key, name, func() (secret.Text, error) { return readFile(name, limit) }}
}

func readFile(name string, limit int64) (secret.Text, error) {
	f, err := os.Open(name)
	if err != nil {
		return secret.Text{}, fmt.Errorf("read file: %w", err)
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err != nil {
		return secret.Text{}, fmt.Errorf("read file: %w", err)
	}
	if int64(len(b)) > limit {
		return secret.Text{}, fmt.Errorf("read file %q: over %d bytes", name, limit)
	}
	return secret.New(string(bytes.TrimPrefix(b, []byte("\ufeff")))), nil
}

func readParts(parts []part) ([]secret.Text, error) {
	texts := make([]secret.Text, 0, len(parts))
	for _, p := range parts {
		t, err := p.read()
		if err != nil {
			return nil, fmt.Errorf("%s: %w", p.key, err)
		}
		texts = append(texts, t)
	}
	return texts, nil
}

func sameTexts(a, b []secret.Text) bool {
	return slices.EqualFunc(a, b, func(x, y secret.Text) bool { return x.Reveal() == y.Reveal() })
}

// stamps are what files looked like just before they were read. A link that now leads to another file is another file:
// that is how Kubernetes swaps secrets.
type stamps struct {
	at    time.Time
	files []os.FileInfo
}

// stampsOf returns what the files look like now; files is nil when one of them cannot be looked at.
func stampsOf(names []string) stamps {
	s := stamps{at: time.Now()}
	for _, name := range names {
		info, err := os.Stat(name)
		if err != nil {
			return stamps{at: s.at}
		}
		s.files = append(s.files, info)
	}
	return s
}

// same reports whether nothing can have changed from s to later.
func (s stamps) same(later stamps) bool {
	return s.files != nil && slices.EqualFunc(s.files, later.files, func(a, b os.FileInfo) bool {
		return os.SameFile(a, b) && a.Size() == b.Size() && a.ModTime().Equal(b.ModTime()) && s.at.Sub(a.ModTime()) > unsettled
	})
}
