package dir

import (
	"os"
	"strings"
	"testing"
	"time"

	"github.com/authz-sidecar/sidecar/internal/bundle"
)

// TestWatch_AFileThatIsHeldOpenForWritingIsNotTold: what was written so far is well-formed, and as quiet as a file can be.
func TestWatch_AFileThatIsHeldOpenForWritingIsNotTold(t *testing.T) {
	inside(t, map[string]string{"policies/a.rego": "one"})
	cfg := watched("policies")
	cfg.Debounce = 20 * time.Millisecond
	s := started(t, cfg)
	f, err := os.OpenFile("policies/a.rego", os.O_WRONLY|os.O_TRUNC, 0)
	must(t, err)
	_, err = f.WriteString("tw")
	must(t, err)
	select {
	case why := <-s.waits:
		if want := (bundle.Problem{File: "policies/a.rego", Code: bundle.CodeChanging, Message: "a process has the file open for writing"}); why == nil || *why != want {
			t.Errorf("waits for %v, want %v", why, want)
		}
	case o := <-s.calls:
		t.Fatalf("told %q", o.text())
	case <-time.After(10 * time.Second):
		t.Fatal("the wait was not reported")
	}
	_, err = f.WriteString("o")
	must(t, err)
	must(t, f.Close())
	s.expect("two")
	for why := &(bundle.Problem{}); why != nil; {
		select {
		case why = <-s.waits:
		case <-time.After(10 * time.Second):
			t.Fatal("the end of the wait was not reported")
		}
	}
}

// TestLoad_AFileThatIsHeldOpenForWritingIsAProblem: at the start there is nothing to go on with.
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
	case <-time.After(300 * time.Millisecond):
	}
	_, err = f.WriteString("b\n")
	must(t, err)
	must(t, f.Close())
	if got := <-loads; got != "package b\n" {
		t.Errorf("loaded %q", got)
	}
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

// TestWatch_ASetThatIsCopiedBesideAndRenamedIsToldWhole: as rsync does, one file after the other, each slower than any quiet
// time. Between two of them the next is being written under another name.
func TestWatch_ASetThatIsCopiedBesideAndRenamedIsToldWhole(t *testing.T) {
	inside(t, map[string]string{"policies/a.rego": "one", "policies/b.rego": "one", "policies/c.rego": "one"})
	cfg := watched("policies")
	cfg.Debounce = 10 * time.Millisecond
	s := started(t, cfg)
	temp := func(name string) *os.File {
		f, err := os.Create("policies/." + name + ".Ab3xYz")
		must(t, err)
		_, err = f.WriteString("two")
		must(t, err)
		return f
	}
	next := temp("a.rego")
	for i, name := range []string{"a.rego", "b.rego", "c.rego"} {
		done := next
		if i < 2 {
			next = temp([]string{"b.rego", "c.rego"}[i])
		}
		must(t, done.Close())
		must(t, os.Rename(done.Name(), "policies/"+name))
		if i < 2 {
			select {
			case o := <-s.calls:
				t.Fatalf("told %q", o.text())
			case <-time.After(300 * time.Millisecond): // far longer than the quiet time
			}
		}
	}
	s.expect("twotwotwo")
}

func TestTemporary_KnowsTheNamesOfFilesThatAreAboutToBeRenamed(t *testing.T) {
	for name, want := range map[string]bool{
		".a.rego.Ab3xYz": true, "a.rego.part": true, ".data.json.x1y2z3": true, "data.yaml.tmp": true, "a_test.rego.tmp": true,
		".a.rego.swp": false, ".a.rego.kate-swp": false, ".#a.rego": false, "a.rego~": false, "notes.txt.part": false, "a.rego": false, ".manifest": false,
	} {
		if temporary(name) != want {
			t.Errorf("%s: %v", name, !want)
		}
	}
}
