package dir

import (
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// TestWatch_AFileThatIsHeldOpenForWritingIsNotReported: its text so far is well-formed, and does not change.
func TestWatch_AFileThatIsHeldOpenForWritingIsNotReported(t *testing.T) {
	inside(t, map[string]string{"policies/a.rego": "one"})
	polls(t, polled(), func(t *testing.T, s *session) {
		f, err := os.OpenFile("policies/a.rego", os.O_WRONLY|os.O_TRUNC, 0)
		must(t, err)
		_, err = f.WriteString("tw")
		must(t, err)
		s.expectWait(unfinished(entry{path: "policies/a.rego"}, "a process has the file open for writing"))
		_, err = f.WriteString("o")
		must(t, err)
		must(t, f.Close())
		s.expect("two")
		s.expectWait(nil)
	})
}

// TestLoad_AFileThatIsHeldOpenForWritingIsAProblem: at the start no earlier set can go on deciding.
func TestLoad_AFileThatIsHeldOpenForWritingIsAProblem(t *testing.T) {
	inside(t, map[string]string{"policies/a.rego": rego})
	f, err := os.OpenFile("policies/a.rego", os.O_WRONLY, 0)
	must(t, err)
	defer f.Close()
	cfg := onlyPolicies
	cfg.Debounce = time.Millisecond
	refused(t, cfg, "policies/a.rego: changing_error: a process has the file open for writing")
}

func TestLoad_WaitsForAWriter(t *testing.T) {
	inside(t, map[string]string{"policies/a.rego": "package a\n"})
	synctest.Test(t, func(t *testing.T) {
		f, err := os.OpenFile("policies/a.rego", os.O_WRONLY|os.O_TRUNC, 0)
		must(t, err)
		_, err = f.WriteString("package ")
		must(t, err)
		loads := make(chan string, 1)
		go func() {
			set, err := Load(Config{Paths: []string{"policies"}, Debounce: 100 * time.Millisecond})
			if err != nil {
				loads <- err.Error()
				return
			}
			loads <- string(set.Bundles[0].Modules[0].Raw)
		}()
		select {
		case got := <-loads:
			t.Fatalf("loaded %q while it was being written", got)
		case <-time.After(3 * time.Second):
		}
		_, err = f.WriteString("b\n")
		must(t, err)
		must(t, f.Close())
		if got := <-loads; got != "package b\n" {
			t.Errorf("loaded %q", got)
		}
	})
}

// TestOpenForWriting_TakesNothingFromOthers: a lease that is asked for is given back.
func TestOpenForWriting_TakesNothingFromOthers(t *testing.T) {
	inside(t, map[string]string{"a": "x"})
	f, err := os.Open("a")
	must(t, err)
	defer f.Close()
	if openForWriting(f) {
		t.Error("it is open for writing")
	}
	w, err := os.OpenFile("a", os.O_WRONLY, 0)
	must(t, err)
	if !openForWriting(f) {
		t.Error("it is not open for writing")
	}
	must(t, w.Close())
	if openForWriting(f) {
		t.Error("it is still open for writing")
	}
	leases, err := os.ReadFile("/proc/locks")
	must(t, err)
	for line := range strings.Lines(string(leases)) {
		if strings.Contains(line, "LEASE") {
			t.Errorf("a lease is left: %s", line)
		}
	}
}

// TestWatch_ASetThatIsCopiedBesideAndRenamedIsReportedWhole: as rsync does, one file after the other, each slower than
// any quiet time. Between two of them the next is being written under another name.
func TestWatch_ASetThatIsCopiedBesideAndRenamedIsReportedWhole(t *testing.T) {
	names := []string{"a.rego", "b.rego", "c.rego"}
	inside(t, map[string]string{"policies/a.rego": "one", "policies/b.rego": "one", "policies/c.rego": "one"})
	polls(t, polled(), func(t *testing.T, s *session) {
		begin := func(name string) *os.File {
			f, err := os.Create("policies/." + name + ".Ab3xYz")
			must(t, err)
			_, err = f.WriteString("two")
			must(t, err)
			return f
		}
		next := begin(names[0])
		for i, name := range names {
			done := next
			if i+1 < len(names) {
				next = begin(names[i+1])
			}
			must(t, done.Close())
			must(t, os.Rename(done.Name(), "policies/"+name))
			if i+1 == len(names) {
				break
			}
			select {
			case r := <-s.reports:
				t.Fatalf("reported %q", r.text())
			case <-time.After(longFactor * 2 * polled().Debounce):
			}
		}
		s.expect("twotwotwo")
	})
}

func TestTemporary_KnowsTheNamesOfFilesThatAreAboutToBeRenamed(t *testing.T) {
	for name, want := range map[string]bool{
		".a.rego.Ab3xYz": true, "a.rego.part": true, ".data.json.x1y2z3": true, "data.yaml.tmp": true,
		"a_test.rego.tmp": true,
		".a.rego.swp":     false, ".a.rego.kate-swp": false, ".#a.rego": false, "a.rego~": false,
		"notes.txt.part": false, "a.rego": false, ".manifest": false,
	} {
		if temporary(name) != want {
			t.Errorf("%s: %v", name, !want)
		}
	}
}
