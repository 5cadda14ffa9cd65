package dir

import (
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestPoll_SeesChangesWithoutEvents(t *testing.T) {
	inside(t, map[string]string{"policies/a.rego": "one"})
	polls(t, polled(), func(t *testing.T, s *session) {
		write(t, map[string]string{"policies/a.rego": "two"})
		s.expect("two")
		must(t, os.RemoveAll("policies"))
		s.expect("error: policies: directory_error: the directory does not exist")
		s.quiet()
		write(t, map[string]string{"policies/a.rego": "two"})
		s.expect("two")
		if s.log.Count("level=WARN") != 1 || !s.log.Has("no inotify instances left") {
			t.Errorf("log:\n%s", &s.log)
		}
	})
}

func TestPoll_WaitsUntilTheChangesAreOver(t *testing.T) {
	inside(t, map[string]string{"policies/a.rego": "one"})
	polls(t, polled(), func(t *testing.T, s *session) {
		for i := range 8 {
			write(t, map[string]string{"policies/a.rego": strings.Repeat("x", i+1)})
			time.Sleep(80 * time.Millisecond)
		}
		s.expect("xxxxxxxx")
		s.quiet()
	})
}

func TestPoll_ReportsAPartialWriteOnceAndWhole(t *testing.T) {
	inside(t, map[string]string{"policies/a.rego": rego, "policies/data.yaml": "x: 1"})
	polls(t, polled(), func(t *testing.T, s *session) {
		write(t, map[string]string{"policies/data.yaml": "x: ["})
		time.Sleep(150 * time.Millisecond)
		write(t, map[string]string{"policies/data.yaml": "x: [2]"})
		if r := s.next(); r.err != nil {
			t.Fatal(r.err)
		}
		s.quiet()
	})
}

// TestPoll_IsWithinTheInterval: a change is read when the next poll comes, and reported after the quiet time.
func TestPoll_IsWithinTheInterval(t *testing.T) {
	inside(t, map[string]string{"policies/a.rego": "one"})
	cfg := polled()
	cfg.Poll = 5 * time.Second
	polls(t, cfg, func(t *testing.T, s *session) {
		synctest.Wait()
		write(t, map[string]string{"policies/a.rego": "two"})
		begun := time.Now()
		s.expect("two")
		if took, most := time.Since(begun), cfg.Poll+3*cfg.Debounce; took > most {
			t.Errorf("reported after %s, want at most %s", took, most)
		}
	})
}
