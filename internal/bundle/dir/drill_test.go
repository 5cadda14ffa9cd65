package dir

import (
	"os"
	"strings"
	"testing"
	"time"

	"github.com/fsnotify/fsnotify"
)

// parts is how many files a drill changes, and beat the pause between two of them.
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

// TestWatch_SlowChangesAreToldWhole changes files one after the other, as tools do. A mixture of two versions is never
// told. The pauses are far below the quiet time, so that a busy machine does not make them longer than it.
func TestWatch_SlowChangesAreToldWhole(t *testing.T) {
	for name, change := range map[string]func(t *testing.T, name, text string){
		"written anew": func(t *testing.T, name, text string) {
			write(t, map[string]string{name: text})
		},
		"written beside and renamed": func(t *testing.T, name, text string) {
			write(t, map[string]string{name + ".tmp": text})
			must(t, os.Rename(name+".tmp", name))
		},
		"removed and made again": func(t *testing.T, name, text string) {
			must(t, os.Remove(name))
			<-time.After(beat)
			write(t, map[string]string{name: text})
		},
		"written in parts by a writer that closes": func(t *testing.T, name, text string) {
			write(t, map[string]string{name: text[:1]})
			<-time.After(beat)
			f, err := os.OpenFile(name, os.O_WRONLY|os.O_APPEND, 0)
			must(t, err)
			_, err = f.WriteString(text[1:])
			must(t, err)
			must(t, f.Close())
		},
	} {
		for sense, opened := range map[string]bool{"events": true, "polls": false} {
			t.Run(name+" by "+sense, func(t *testing.T) {
				t.Parallel()
				dir := t.TempDir()
				write(t, version(dir, "one"))
				cfg, open := Config{Paths: []string{dir}, Debounce: 500 * time.Millisecond, Poll: time.Hour}, fsnotify.NewWatcher
				if !opened {
					cfg.Poll, open = 100*time.Millisecond, noEvents
				}
				s := watch(t, cfg, nil, open)
				s.expect(strings.Repeat("one", parts))
				for i := range parts {
					change(t, partFile(dir, i), "two")
					<-time.After(beat)
				}
				s.expect(strings.Repeat("two", parts))
				s.quiet()
			})
		}
	}
}
