package keyfile

import (
	"os"
	"slices"
	"time"

	"github.com/authz-sidecar/sidecar/internal/secret"
)

// Files is a value that is made of files, and made anew when one of them changes. It is not safe for concurrent use.
type Files[T any] struct {
	parts []Part
	parse func([]secret.Text) (T, error)
	names []string
	texts []secret.Text // of the last value
	seen  stamps        // of the files when they were read last; empty when they must be read again
	fault string        // the last error of Look; empty when it is over
}

// Open reads the parts and returns the value that parse makes of them.
func Open[T any](parse func([]secret.Text) (T, error), parts ...Part) (f *Files[T], v T, err error) {
	f = &Files[T]{parts: parts, parse: parse}
	for _, p := range parts {
		if p.file != "" {
			f.names = append(f.names, p.file)
		}
	}
	f.seen = stampsOf(f.names)
	if f.texts, err = readParts(parts); err == nil {
		v, err = parse(f.texts)
	}
	return f, v, err
}

// Any reports whether there is a file that may change.
func (f *Files[T]) Any() bool { return len(f.names) > 0 }

// Look returns a new value when the content of the files has changed. Content that cannot be read or parsed may be
// half written: it is no change, its error is returned once, and the files are read again at the next Look.
func (f *Files[T]) Look() (v T, changed bool, err error) {
	now := stampsOf(f.names)
	if f.seen.same(now) {
		return v, false, nil
	}
	f.seen = now
	texts, err := readParts(f.parts)
	if err == nil && sameTexts(texts, f.texts) {
		f.fault = ""
		return v, false, nil
	}
	if err == nil {
		v, err = f.parse(texts)
	}
	if err != nil {
		f.seen = stamps{}
		if f.fault == err.Error() {
			return v, false, nil
		}
		f.fault = err.Error()
		return v, false, err
	}
	f.texts, f.fault = texts, ""
	return v, true, nil
}

// Fault is why the content of the files at the last Look is no value; empty when it is one.
func (f *Files[T]) Fault() string { return f.fault }

// Reread makes the next Look read the files, whatever they look like: a program may have kept their times.
func (f *Files[T]) Reread() { f.seen = stamps{} }

func sameTexts(a, b []secret.Text) bool {
	return slices.EqualFunc(a, b, func(x, y secret.Text) bool { return x.Reveal() == y.Reveal() })
}

// unsettled is how old a file must be before an unchanged time of modification means unchanged content: file systems
// count time in ticks, and two changes can fall into one.
const unsettled = 2 * time.Second

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
		return os.SameFile(a, b) && a.Size() == b.Size() && a.ModTime().Equal(b.ModTime()) &&
			s.at.Sub(a.ModTime()) > unsettled
	})
}
