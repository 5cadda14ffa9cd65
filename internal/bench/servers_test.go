//go:build bench

package bench

import (
	"os"
	"testing"
	"time"

	"github.com/authz-sidecar/sidecar/internal/devissuer"
)

// target is a server under load.
type target struct {
	name string
	proc *process
	// dial opens n connections that ask the same.
	dial func(n int) ([]caller, error)
	// rest is called after each run under load.
	rest func()

	single, many []caller // connections that are kept alive: one, and one for each caller
	runs         []run
	paced        []paced
}

// run is what one round measured on one target at its limit.
type run struct {
	rate      float64       // requests a second on all connections
	cpu       time.Duration // processor time of the server, a request
	p50, p99  time.Duration // on all connections
	p999      time.Duration // p99.9, likewise
	single    time.Duration // p50 on one connection
	rss, peak float64       // MiB
}

func (r run) throughput() float64 { return r.rate }
func (r run) processor() float64  { return micros(r.cpu) }

// paced is what one round measured on one target that is asked evenly: p99 at a share of its own peak, of OPA's, and
// of that of the sidecar that remembers.
type paced struct{ own, opa, sidecar time.Duration }

func (p paced) ownMicros() float64     { return micros(p.own) }
func (p paced) opaMicros() float64     { return micros(p.opa) }
func (p paced) sidecarMicros() float64 { return micros(p.sidecar) }

// paces are the rates at which all targets are asked, in requests a second.
type paces struct{ opa, sidecar float64 }

// connections is how many callers there are at once.
const connections = 32

func (s *target) connect(t *testing.T) {
	t.Helper()
	await(t, s.proc, s.dial)
	var err error
	if s.single, err = s.dial(1); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { closeAll(s.single) })
	if s.many, err = s.dial(connections); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { closeAll(s.many) })
}

// floors are the least that a server of each protocol can be, asked the same as the sidecar.
type floors struct{ post, get, grpc *target }

func startFloors(t *testing.T, w *world) floors {
	t.Helper()
	program := build(t, "floor", "test", "-c", "-tags=bench", "./floor")
	address := freeAddress(t)
	p := start(t, []string{"BENCH_FLOOR_ADDRESS=" + address}, program)
	return floors{
		post: &target{name: "echo, bare POST handler", proc: p, rest: func() {},
			dial: posts(address, "/v1/decisions", question(t, w.token))},
		get: &target{name: "echo, bare GET handler", proc: p, rest: func() {},
			dial: asks(address, []byte("GET /check HTTP/1.1\r\nHost: localhost\r\n\r\n"), nil)},
		grpc: startGRPCFloor(t, w),
	}
}

// startOPA starts OPA's own server, of the version that the sidecar has inside, on policies. It is given the claims.
// Its decision log, when it has one, goes to a file: what it writes to its standard error.
func startOPA(t *testing.T, program string, ask []byte, p policy, logs bool) *target {
	t.Helper()
	address := freeAddress(t)
	args := []string{"run", "--server", "--addr", address, "--log-level", "error", "--skip-version-check"}
	s := &target{name: "OPA server, claims given, log off, " + p.name,
		dial: posts(address, "/v1/data/authz/decision", ask), rest: func() {}}
	if logs {
		args = append(args, "--set", "decision_logs.console=true")
		s.name = "OPA server, claims given, log on, " + p.name
	}
	s.proc = start(t, nil, program, append(args, p.dir)...)
	if logs {
		s.rest = func() { s.proc.forget(t) }
	}
	return s
}

// sidecar is a sidecar that was started.
type sidecar struct {
	*target
	setup
	file  string // of its configuration
	log   string // file of its decision log; empty without one
	api   string // address of decisions
	grpc  string // address of checks of Envoy
	nginx string // address of checks of nginx
	admin string // address of its metrics
}

// startSidecar starts the real program, as it is configured by default but for its setup.
func startSidecar(t *testing.T, program string, w *world, s setup) sidecar {
	t.Helper()
	file := w.configuration(t, t.TempDir(), s)
	cfg := load(t, file)
	p := start(t, nil, program, "serve", "--config", file)
	nginx := ""
	for _, l := range cfg.Listen.ForwardAuth {
		nginx = l.Address
	}
	token := w.token
	if s.jwt {
		token = w.issueAs(t, devissuer.JWT, nil)
	}
	name := "sidecar, " + s.policy.name
	for _, w := range []struct {
		is      bool
		yes, no string
	}{{s.full, ", evaluated", ", remembered"}, {s.jwt, ", JWT", ""}, {s.silent, ", log off", ", log on"}} {
		if w.is {
			name += w.yes
		} else {
			name += w.no
		}
	}
	return sidecar{setup: s, file: file, log: cfg.DecisionLog.File, api: cfg.Listen.API.Address,
		grpc: cfg.Listen.GRPC.Address, nginx: nginx, admin: cfg.Listen.Admin.Address,
		target: &target{
			name: name, proc: p, dial: posts(cfg.Listen.API.Address, "/v1/decisions", question(t, token)),
			rest: func() { emptied(cfg.DecisionLog.File) },
		}}
}

// emptied truncates a decision log, so that long runs do not fill the disk: it is appended to.
func emptied(log string) {
	if log != "" {
		_ = os.Truncate(log, 0)
	}
}

// through is the same process asked through another door.
func (s sidecar) through(door string, dial func(n int) ([]caller, error)) *target {
	return &target{name: s.name + ", " + door, proc: s.proc, dial: dial, rest: s.rest}
}

func buildSidecar(t *testing.T) string {
	t.Helper()
	return build(t, "sidecar", "build", "../../cmd/sidecar")
}
