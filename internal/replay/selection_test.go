package replay_test

import (
	"bytes"
	"compress/gzip"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/authz-sidecar/sidecar/internal/replay"
)

// events is how many of a log the options choose.
func events(t *testing.T, log []byte, o replay.Options) int {
	t.Helper()
	r := replayed(t, log, o)
	if r.Totals.Events != r.Totals.Outside+r.Totals.NotDecided+r.Totals.NotReplayable+r.Totals.Replayed {
		t.Errorf("the totals do not add up: %+v", r.Totals)
	}
	return r.Totals.Events - r.Totals.Outside
}

func TestEventsAreChosenByTimeClientTenantRouteAndEntrypoint(t *testing.T) {
	by, calls := side(t, same), workload(200)
	log := record(t, by, "authz/decision", calls)
	count := func(is func(c *call) bool) (n int) {
		for i := range calls {
			if is(&calls[i]) {
				n++
			}
		}
		return n
	}
	known := func(c *call) bool { return c.token && !c.expired } // others have no document
	since, until := begun.Add(70*time.Second), begun.Add(140*time.Second)
	for name, is := range map[string]struct {
		options replay.Options
		want    int
	}{
		"all":      {replay.Options{}, 200},
		"a window": {replay.Options{Since: since, Until: until}, 10},
		"a client": {replay.Options{Filter: replay.Filter{Clients: []string{"web"}}},
			count(func(c *call) bool { return known(c) && c.client == "web" })},
		"two clients": {replay.Options{Filter: replay.Filter{Clients: []string{"web", "batch"}}},
			count(func(c *call) bool { return known(c) && c.client != "mobile" })},
		"a tenant": {replay.Options{Filter: replay.Filter{Tenants: []string{"globex"}}},
			count(func(c *call) bool { return known(c) && c.tenant == "globex" })},
		"a route by its id": {replay.Options{Filter: replay.Filter{Routes: []string{"delete_order"}}},
			count(func(c *call) bool { return known(c) && c.method == "DELETE" })},
		"a route by method and path": {replay.Options{Filter: replay.Filter{Routes: []string{"GET /orders/*"}}},
			count(func(c *call) bool { return known(c) && c.method == "GET" && c.path != "/orders" })},
		"a route by its beginning": {replay.Options{Filter: replay.Filter{Routes: []string{"/orders/**"}}},
			count(func(c *call) bool { return known(c) && c.path != "/orders" })},
		"an entrypoint":        {replay.Options{Filter: replay.Filter{Entrypoints: []string{"authz/decision"}}}, 200},
		"another entrypoint":   {replay.Options{Filter: replay.Filter{Entrypoints: []string{"shop/decision"}}}, 0},
		"the last ones":        {replay.Options{Last: 100}, 100},
		"more than there are":  {replay.Options{Last: 5000}, 200},
		"a sample":             {replay.Options{Sample: 100}, 100},
		"a sample of a client": {replay.Options{Sample: 10, Filter: replay.Filter{Clients: []string{"web"}}}, 10},
	} {
		is.options.Candidate = by
		if got := events(t, log, is.options); got != is.want || is.want == 0 && name != "another entrypoint" {
			t.Errorf("%s: %d events, want %d", name, got, is.want)
		}
	}
	r := replayed(t, log, replay.Options{Candidate: by, Last: 100})
	if want := begun.Add(100 * 7 * time.Second); !r.First.Equal(want) {
		t.Errorf("the last hundred begin at %s, want %s", r.First, want)
	}
}

func TestTheSameLogGivesTheSameReport(t *testing.T) {
	wider := side(t, func(_, text string) string { return strings.ReplaceAll(text, "[orders:read]", "[]") })
	log := record(t, side(t, same), "authz/decision", workload(400))
	for name, o := range map[string]replay.Options{"all": {}, "a sample": {Sample: 100}, "the last": {Last: 100}} {
		var reports []*replay.Report
		for _, workers := range []int{1, 7} {
			o.Candidate, o.Workers, o.Explain = wider, workers, 10
			r := replayed(t, log, o)
			r.Seconds, r.PerSecond = 0, 0
			reports = append(reports, r)
		}
		if reports[0].Changes.DenyToAllow == 0 || !reflect.DeepEqual(reports[0], reports[1]) {
			t.Errorf("%s: one worker\n%+v\nseven\n%+v", name, reports[0], reports[1])
		}
	}
}

func TestRotatedAndCompressedLogsAreOne(t *testing.T) {
	by := side(t, same)
	log := record(t, by, "authz/decision", workload(600))
	half := bytes.IndexByte(log[len(log)/2:], '\n') + len(log)/2 + 1
	dir := t.TempDir()
	older, newer := filepath.Join(dir, "decisions.jsonl.1.gz"), filepath.Join(dir, "decisions.jsonl")
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	_, _ = z.Write(log[:half])
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string][]byte{older: packed.Bytes(), newer: log[half:]} {
		if err := os.WriteFile(name, content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	logs, err := replay.Open([]string{older, newer}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if first := logs.First(); first != "authz/decision" {
		t.Errorf("first entrypoint %q", first)
	}
	r, err := replay.Run(t.Context(), logs, replay.Options{Candidate: by})
	if err != nil {
		t.Fatal(err)
	}
	if r.Totals.Events != 600 || r.Changes.Changed() != 0 || len(r.Logs) != 2 ||
		r.Logs[0].Bytes != int64(packed.Len()) || r.Logs[1].Bytes != int64(len(log)-half) {
		t.Errorf("%+v %+v", r.Totals, r.Logs)
	}

	if err := os.WriteFile(older, packed.Bytes()[:packed.Len()/2], 0o600); err != nil {
		t.Fatal(err)
	}
	logs, err = replay.Open([]string{older, newer}, nil)
	if err != nil {
		t.Fatal(err)
	}
	r, err = replay.Run(t.Context(), logs, replay.Options{Candidate: by})
	if err == nil || !strings.Contains(err.Error(), older) || r.Totals.Events == 0 || r.Totals.Events > 300 {
		t.Errorf("half of a compressed log: %v, %+v", err, r.Totals)
	}
}

func TestLinesThatAreNoEventsAreCounted(t *testing.T) {
	by := side(t, same)
	log := record(t, by, "authz/decision", workload(20))
	mixed := append([]byte("sidecar: warning: something\n{\"level\":\"INFO\"}\n\n"), log...)
	mixed = append(mixed, log[:100]...) // not written to its end
	r := replayed(t, mixed, replay.Options{Candidate: by})
	if r.Totals.Events != 20 || r.Totals.BadLines != 3 || !strings.HasPrefix(r.Logs[0].FirstBad, "line 1: ") {
		t.Errorf("%+v %+v", r.Totals, r.Logs)
	}
}

func TestALogThatIsNotThereIsNamed(t *testing.T) {
	if _, err := replay.Open([]string{"absent.jsonl"}, nil); err == nil ||
		!strings.Contains(err.Error(), "absent.jsonl") {
		t.Error(err)
	}
	if _, err := replay.Open([]string{t.TempDir()}, nil); err == nil || !strings.Contains(err.Error(), "directory") {
		t.Error(err)
	}
}
