package dir

import (
	"os"
	"strings"
	"testing"
	"time"
)

// parts is how many files a test changes, and beat the pause between two of them.
const (
	parts = 6
	beat  = 60 * time.Millisecond
)

func partFile(dir string, i int) string { return dir + "/" + string(rune('a'+i)) + ".rego" }

// version is a set of files whose text is their version.
func version(dir, text string) map[string]string {
	files := map[string]string{}
	for i := range parts {
		files[partFile(dir, i)] = text
	}
	return files
}

// changers are ways in which tools change a file.
func changers() map[string]func(t *testing.T, name, text string) {
	return map[string]func(t *testing.T, name, text string){
		"written anew": func(t *testing.T, name, text string) {
			write(t, map[string]string{name: text})
		},
		"written beside and renamed": func(t *testing.T, name, text string) {
			write(t, map[string]string{name + ".tmp": text})
			must(t, os.Rename(name+".tmp", name))
		},
		"removed and made again": func(t *testing.T, name, text string) {
			must(t, os.Remove(name))
			time.Sleep(beat)
			write(t, map[string]string{name: text})
		},
		"written in parts by a writer that closes": func(t *testing.T, name, text string) {
			write(t, map[string]string{name: text[:1]})
			time.Sleep(beat)
			f, err := os.OpenFile(name, os.O_WRONLY|os.O_APPEND, 0)
			must(t, err)
			_, err = f.WriteString(text[1:])
			must(t, err)
			must(t, f.Close())
		},
	}
}

// TestWatch_SlowChangesAreReportedWhole changes files one after the other. A mixture of two versions is never
// reported.
func TestWatch_SlowChangesAreReportedWhole(t *testing.T) {
	for name, change := range changers() {
		t.Run(name+" by polls", func(t *testing.T) {
			dir := t.TempDir()
			write(t, version(dir, "one"))
			cfg := Config{Paths: []string{dir}, Debounce: 100 * time.Millisecond, Poll: 50 * time.Millisecond}
			polls(t, cfg, func(t *testing.T, s *session) { changeSlowly(t, s, dir, change) })
		})
		t.Run(name+" by events", func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			write(t, version(dir, "one"))
			// The quiet time is far above the pauses, so that a busy machine does not make them longer than it.
			cfg := Config{Paths: []string{dir}, Debounce: 500 * time.Millisecond, Poll: time.Hour}
			changeSlowly(t, started(t, cfg), dir, change)
		})
	}
}

func changeSlowly(t *testing.T, s *session, dir string, change func(t *testing.T, name, text string)) {
	t.Helper()
	for i := range parts {
		change(t, partFile(dir, i), "two")
		time.Sleep(beat)
	}
	s.expect(strings.Repeat("two", parts))
	s.quiet()
}
