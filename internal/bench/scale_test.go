//go:build bench

package bench

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/authz-sidecar/sidecar/internal/testkit"
)

// TestScale measures what a decision, a start and a process cost as one thing grows, and draws it. The pictures, and
// the points behind them as points.csv, go to the directory in BENCH_OUT, which make bench-scale sets.
//
// It fails when a decision is not an allow; never because of a figure.
func TestScale(t *testing.T) {
	s := &scale{out: os.Getenv("BENCH_OUT"), each: time.Second, w: newWorld(t), program: buildSidecar(t)}
	if s.out == "" {
		s.out = t.TempDir()
	}
	s.csv.WriteString("what,line,size,cpu_us_per_request,p50_us,rss_mib,start_ms\n")
	for _, part := range []struct {
		name string
		run  func(t *testing.T, s *scale)
	}{
		{"rules", scaleRules}, {"routes", scaleRoutes}, {"data", scaleData}, {"tokens", scaleTokens},
		{"connections", scaleConnections}, {"issuers", scaleIssuers},
	} {
		t.Run(part.name, func(t *testing.T) { part.run(t, s) })
	}
	testkit.WriteFile(t, filepath.Join(s.out, "points.csv"), s.csv.String())
	t.Logf("%s/%s, %s, %d processors shared with the load generator\n%s", runtime.GOOS, runtime.GOARCH,
		runtime.Version(), runtime.NumCPU(), s.csv.String())
}

// scale is what the parts share.
type scale struct {
	w       *world
	program string
	out     string
	each    time.Duration // of load on each point
	csv     strings.Builder
}

// axes are the plots of one part: what a decision costs, and what a process does.
type axes struct{ cpu, rss, start *plot }

func newAxes(what, x string) axes {
	return axes{
		cpu: newPlot(what+"-cpu", "Processor time of a decision, by number of "+what, x, "microseconds a decision"),
		rss: newPlot(what+"-rss", "Resident memory, by number of "+what, x, "MiB"),
		start: newPlot(what+"-start", "Start of the process to its first decision, by number of "+what, x,
			"milliseconds"),
	}
}

// figures are what one point says; those of 0 are not drawn.
type figures struct {
	cpu, p50   float64 // microseconds
	rss, start float64 // MiB, milliseconds
}

// add takes a point.
func (s *scale) add(a axes, what, line string, x float64, f figures) {
	fmt.Fprintf(&s.csv, "%s,%s,%.0f,%.2f,%.0f,%.1f,%.0f\n", what, line, x, f.cpu, f.p50, f.rss, f.start)
	for _, v := range []struct {
		on *plot
		y  float64
	}{{a.cpu, f.cpu}, {a.rss, f.rss}, {a.start, f.start}} {
		if v.y > 0 {
			v.on.add(line, x, v.y)
		}
	}
}

// draw writes the pictures of a part that have lines.
func (s *scale) draw(t *testing.T, a axes) {
	t.Helper()
	for _, p := range []*plot{a.cpu, a.rss, a.start} {
		if len(p.lines) > 0 {
			testkit.WriteFile(t, filepath.Join(s.out, p.name+".svg"), p.svg())
		}
	}
}

// sizes are powers of ten, up to the one in BENCH_MOST: the largest are long in coming on a busy machine.
func sizes(from, to int) []int {
	if most, err := strconv.Atoi(os.Getenv("BENCH_MOST")); err == nil {
		to = min(to, most)
	}
	var all []int
	for n := from; n <= to; n *= 10 {
		all = append(all, n)
	}
	return all
}

// at starts a sidecar, asks it on n connections and ends it.
func (s *scale) at(t *testing.T, set setup, n int, dial func(sidecar) func(n int) ([]caller, error)) figures {
	t.Helper()
	change := set.change
	set.change = func(all map[string]any) {
		// The checks of routes are evaluated too, when policies are loaded, and all of this is more than is usual.
		all["engine"].(map[string]any)["deadline"], all["engine"].(map[string]any)["compile_timeout"] = "30s", "5m"
		if change != nil {
			change(all)
		}
	}
	side := startSidecar(t, s.program, s.w, set)
	ask := side.dial
	if dial != nil {
		ask = dial(side)
	}
	f := figures{start: millis(await(t, side.proc, ask))}
	all, err := ask(n)
	if err != nil {
		t.Fatal(err)
	}
	defer closeAll(all)
	if _, err := closed(all, s.each/4); err != nil { // caches, heaps and connections get warm
		t.Fatal(err)
	}
	before := cpuOf(t, side.proc)
	seen, err := closed(all, s.each)
	if err != nil {
		t.Fatal(err)
	}
	used := cpuOf(t, side.proc) - before
	f.cpu, f.p50 = micros(used)/float64(len(seen.latencies)), micros(seen.quantile(0.5))
	if f.rss, _, err = side.proc.memory(); err != nil {
		t.Fatal(err)
	}
	side.proc.stop()
	return f
}

// few is how many connections ask where their number does not matter.
const few = 8

// scaleRules asks about policies of many rules, of which the question fits one.
func scaleRules(t *testing.T, s *scale) {
	a := newAxes("rules", "rules")
	for _, n := range sizes(10, 10_000) {
		for _, line := range []struct {
			name  string
			extra string
			full  bool
		}{
			{name: "remembered"},
			{name: "evaluated", full: true},
			{name: "evaluated with one startswith", full: true, extra: `
permitted if startswith(input.request.path, "/nowhere/")
`},
		} {
			dir := t.TempDir()
			text := strings.ReplaceAll(string(module(0, n)), fmt.Sprintf("collection-%d\"", n/2), "orders\"")
			text = strings.ReplaceAll(text, fmt.Sprintf("collection-%d:", n/2), "orders:")
			testkit.WriteFile(t, filepath.Join(dir, "generated.rego"), text+line.extra)
			f := s.at(t, setup{policy: policy{"rules", dir}, full: line.full, change: func(all map[string]any) {
				all["decision"] = map[string]any{"entrypoint": "generated/decision"}
			}}, few, nil)
			s.add(a, "rules", line.name, float64(n), f)
		}
	}
	s.draw(t, a)
}

// scaleRoutes asks the shipped policies, whose routes are data: a hundred of them below each first segment.
func scaleRoutes(t *testing.T, s *scale) {
	a := newAxes("routes", "routes")
	for _, n := range sizes(10, 100_000) {
		dir := t.TempDir()
		if err := os.CopyFS(dir, os.DirFS(s.w.shipped.dir)); err != nil {
			t.Fatal(err)
		}
		groups := map[string]any{}
		for i := range n {
			first := fmt.Sprintf("/group-%d", i/100)
			if groups[first] == nil {
				groups[first] = map[string]any{}
			}
			groups[first].(map[string]any)[fmt.Sprintf("/route-%d", i%100)] = map[string]any{"GET": map[string]any{
				"id": fmt.Sprintf("route-%d", i), "tenant": map[string]any{"header": "x-tenant"},
				"scopes": []string{"orders:read"}, "audience": []string{"orders-api"}}}
		}
		path := fmt.Sprintf("/group-%d/route-%d", (n/2)/100, (n/2)%100)
		if err := os.Remove(filepath.Join(dir, "routes", "data.yaml")); err != nil {
			t.Fatal(err)
		}
		testkit.WriteFile(t, filepath.Join(dir, "routes", "data.json"), string(marshal(t, groups)))
		for name, full := range map[string]bool{"evaluated": true, "remembered": false} {
			body := strings.Replace(string(question(t, s.w.token)), "/orders/42", path, 1)
			ask := func(side sidecar) func(int) ([]caller, error) {
				return posts(side.api, "/v1/decisions", []byte(body))
			}
			f := s.at(t, setup{policy: policy{"routes", dir}, full: full}, few, ask)
			s.add(a, "routes", name, float64(n), f)
		}
	}
	s.draw(t, a)
}

// scaleData asks a policy that looks up one user in data of many.
func scaleData(t *testing.T, s *scale) {
	a := newAxes("bytes of data", "bytes of data")
	a.cpu.name, a.rss.name, a.start.name = "data-cpu", "data-rss", "data-start"
	for _, size := range sizes(1_000, 100_000_000) {
		dir := t.TempDir()
		const first = "\tinput.request.method"
		testkit.WriteFile(t, filepath.Join(dir, "authz.rego"),
			strings.Replace(smallPolicy, first, "\tdata.users.part0[input.token.subject.id].active\n"+first, 1))
		users(t, dir, size)
		for name, full := range map[string]bool{"evaluated": true, "remembered": false} {
			s.add(a, "data", name, float64(size), s.at(t, setup{policy: policy{"data", dir}, full: full}, few, nil))
		}
	}
	s.draw(t, a)
}

// users writes about size bytes of data about users in parts, because a file has a limit.
func users(t *testing.T, dir string, size int) {
	const most = 10_000_000
	for part := 0; size > 0; part, size = part+1, size-most {
		var b strings.Builder
		b.WriteString(`{"alice":{"active":true}`)
		for i := 0; b.Len() < min(size, most); i++ {
			fmt.Fprintf(&b, `,"user-%d-%08d":{"active":true,"department":"department-%d","roles":["clerk","reader-%d"]}`,
				part, i, i%100, i%1000)
		}
		b.WriteString(`}`)
		testkit.WriteFile(t, filepath.Join(dir, "users", fmt.Sprintf("part%d", part), "data.json"), b.String())
	}
}

// scaleConnections asks on many connections at once.
func scaleConnections(t *testing.T, s *scale) {
	a := newAxes("connections", "connections, each of which asks without a pause")
	for _, n := range sizes(1, 10_000) {
		f := s.at(t, setup{policy: s.w.small}, n, nil)
		f.start = 0
		s.add(a, "connections", "remembered", float64(n), f)
	}
	s.draw(t, a)
}
