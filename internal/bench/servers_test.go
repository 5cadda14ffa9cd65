//go:build bench

package bench

import (
	"os"
	"testing"
	"time"
)

// target is a server under load.
type target struct {
	name string
	proc *process
	// address is that of the floor.
	address string
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
	single    time.Duration // p50 on one connection
	rss, peak float64       // MiB
}

func (r run) throughput() float64 { return r.rate }
func (r run) processor() float64  { return micros(r.cpu) }

// paced is what one round measured on one target below its limit: p99 at a share of its own peak, and at the rate that
// all targets share.
type paced struct{ own, shared time.Duration }

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

// startFloor starts the least that a server on echo can be, asked the same as the sidecar.
func startFloor(t *testing.T, ask []byte) *target {
	t.Helper()
	program := build(t, "floor", "test", "-c", "-tags=bench", "./floor")
	address := freeAddress(t)
	p := start(t, []string{"BENCH_FLOOR_ADDRESS=" + address}, program)
	return &target{name: "echo, bare POST handler", proc: p, address: address,
		dial: posts(address, "/v1/decisions", ask),
		rest: func() {}}
}

// startOPA starts OPA's own server, of the version that the sidecar has inside, on policies. It is given the claims,
// and logs nothing.
func startOPA(t *testing.T, ask []byte, p policy) *target {
	t.Helper()
	program := install(t, "github.com/open-policy-agent/opa")
	address := freeAddress(t)
	opa := start(t, nil, program, "run", "--server", "--addr", address, "--log-level", "error", "--skip-version-check",
		p.dir)
	return &target{name: "OPA server, claims given, " + p.name, proc: opa,
		dial: posts(address, "/v1/data/authz/decision", ask), rest: func() {}}
}

// sidecar is a sidecar that was started.
type sidecar struct {
	*target
	api   string // address of decisions
	grpc  string // address of checks of Envoy
	nginx string // address of checks of nginx
	admin string // address of its metrics
}

// startSidecar starts the real program on policies, as it is configured by default, with its decision log in a file.
func startSidecar(t *testing.T, program string, w *world, policy policy) sidecar {
	t.Helper()
	file := w.configuration(t, t.TempDir(), policy.dir)
	cfg := load(t, file)
	p := start(t, nil, program, "serve", "--config", file)
	nginx := ""
	for _, l := range cfg.Listen.ForwardAuth {
		nginx = l.Address
	}
	return sidecar{api: cfg.Listen.API.Address, grpc: cfg.Listen.GRPC.Address, nginx: nginx,
		admin: cfg.Listen.Admin.Address,
		target: &target{
			name: "sidecar, token cached, log on, " + policy.name, proc: p,
			dial: posts(cfg.Listen.API.Address, "/v1/decisions", question(t, w.token)),
			// The log is appended to: what was written can go, so that long runs do not fill the disk.
			rest: func() { _ = os.Truncate(cfg.DecisionLog.File, 0) },
		}}
}

func buildSidecar(t *testing.T) string {
	t.Helper()
	return build(t, "sidecar", "build", "../../cmd/sidecar")
}
