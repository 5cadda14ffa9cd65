package app

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"sync"
	"time"

	"github.com/authz-sidecar/sidecar/internal/bundle"
	"github.com/authz-sidecar/sidecar/internal/config"
	"github.com/authz-sidecar/sidecar/internal/door"
	"github.com/authz-sidecar/sidecar/internal/door/authzen"
	"github.com/authz-sidecar/sidecar/internal/door/description"
	"github.com/authz-sidecar/sidecar/internal/door/extauthz"
	"github.com/authz-sidecar/sidecar/internal/door/forwardauth"
	"github.com/authz-sidecar/sidecar/internal/door/native"
	"github.com/authz-sidecar/sidecar/internal/door/opa"
	"github.com/authz-sidecar/sidecar/internal/door/resourcemetadata"
	"github.com/authz-sidecar/sidecar/internal/door/upstreamkeys"
	"github.com/authz-sidecar/sidecar/internal/listen"
	"github.com/authz-sidecar/sidecar/internal/resource"
	"github.com/authz-sidecar/sidecar/internal/status"
	"github.com/authz-sidecar/sidecar/internal/telemetry"
)

// Door is a way in for callers: a listener that is open, and what serves it.
type Door interface {
	Addr() net.Addr
	// Serve serves until Shutdown, and then returns nil.
	Serve() error
	// Shutdown accepts no new calls, and waits for those under way. When ctx ends first it cuts them off, and its
	// error says so.
	Shutdown(ctx context.Context) error
}

// entrance is a door that can be opened: its section of the configuration below listen.
type entrance struct {
	section string
	cfg     listen.Config
	open    func(listen.Config, listen.Deps) (Door, error)
	// name is what logs, metrics and the status call it, where that is not the section.
	name string
}

// called is what logs, metrics and the status call the door.
func (e entrance) called() string { return cmp.Or(e.name, e.section) }

// entrances is every door of an App that has an address. Another door is another line.
func (a *App) entrances() []entrance {
	all := []entrance{
		{section: "api", cfg: a.cfg.Listen.API, open: a.openAPI},
		{section: "admin", cfg: a.cfg.Listen.Admin, open: a.openAdmin},
		{section: "metrics", cfg: a.cfg.Listen.Metrics, open: a.openMetrics},
		{section: "grpc", cfg: a.cfg.Listen.GRPC.Config, open: a.openGRPC},
	}
	all = append(all, a.forwardAuth()...)
	return slices.DeleteFunc(all, func(e entrance) bool { return e.cfg.Off() })
}

func (a *App) openAPI(c listen.Config, on listen.Deps) (Door, error) {
	return native.ListenAPI(c, a.native(), on)
}

func (a *App) openAdmin(c listen.Config, on listen.Deps) (Door, error) {
	return native.ListenAdmin(c, a.native(), on)
}

func (a *App) openMetrics(c listen.Config, on listen.Deps) (Door, error) {
	return native.ListenMetrics(c, a.native(), on)
}

func (a *App) openGRPC(c listen.Config, on listen.Deps) (Door, error) {
	cfg := a.cfg.Listen.GRPC
	cfg.Config = c
	return extauthz.Open(cfg, extauthz.Deps{Point: a.point, Ready: func() bool { return a.Status().Ready },
		Log:     a.deps.Log,
		Metrics: a.metrics.Registerer(), Tracer: a.tracer}, on)
}

// mounts is every door that shares the listeners of the native API. Another door is another line. What they are
// described by is the same without a configuration: see Doors.
func (a *App) mounts() []door.Mount {
	limits := a.cfg.Listen.API.Limits
	return []door.Mount{
		upstreamkeys.Mount(a.identities),
		resourcemetadata.Mount(resource.NewSet(a.cfg.Resources)),
		authzen.Mount(a.cfg.AuthZEN, authzen.Deps{Point: a.point, Limits: limits, Metrics: a.metrics.Registerer(),
			Tracer: a.tracer}),
		opa.Mount(a.cfg.OPA, opa.Deps{Point: a.point, Parse: native.ParseCall, Limits: limits,
			Status: a.Status, Modules: func() []bundle.File { return a.point.Snapshot().Policy.Modules() },
			Metrics: a.metrics.Registerer(), Tracer: a.tracer}),
	}
}

// Doors describes the doors that share the listeners of the native API.
func Doors() []description.Door {
	return door.Doors((&App{cfg: config.Default(), metrics: telemetry.NewMetrics("")}).mounts())
}

// Description returns the OpenAPI 3.1 description of all doors over HTTP, indented, the same bytes each time.
func Description() []byte { return native.Description(Doors()) }

// forwardAuth are the listeners for gateways that ask by HTTP.
func (a *App) forwardAuth() []entrance {
	outcomes := sync.OnceValue(func() *door.Checks {
		return forwardauth.NewOutcomes(a.metrics.Registerer())
	})
	var all []entrance
	for i, cfg := range a.cfg.Listen.ForwardAuth {
		open := func(c listen.Config, on listen.Deps) (Door, error) {
			cfg.Config = c
			return forwardauth.Open(cfg, forwardauth.Deps{Point: a.point, Log: a.deps.Log, Outcomes: outcomes(),
				Tracer: a.tracer}, on)
		}
		all = append(all, entrance{section: fmt.Sprintf("forward_auth[%d]", i), name: "forward_auth." + cfg.Name,
			cfg: cfg.Config, open: open})
	}
	return all
}

func (a *App) native() native.Deps {
	deps := native.Deps{
		Mounts: a.mounted,
		Point:  a.point, Status: a.Status, Metrics: a.metrics.Handler(), Evictor: a.issuers, Log: a.deps.Log,
		Tracer: a.tracer, Explainer: a.point,
	}
	if a.signals != nil {
		deps.Events = a.signals
	}
	return deps
}

// openDoor is an entrance that was opened.
type openDoor struct {
	name string
	Door
	files *listen.Files
}

func (a *App) openDoors(context.Context) error {
	a.onStop("listeners", a.stopDoors)
	a.mounted = a.mounts()
	for _, e := range a.entrances() {
		files := &listen.Files{}
		on := listen.Deps{Section: e.section, Name: e.called(), Log: a.deps.Log, Calls: &a.calls, Files: files,
			Metrics: a.metrics.Registerer()}
		d, err := e.open(e.cfg, on)
		if err != nil {
			return err
		}
		a.doors = append(a.doors, openDoor{e.called(), d, files})
	}
	return nil
}

func (a *App) checkDoors(context.Context) error {
	var errs []error
	for _, e := range a.entrances() {
		errs = append(errs, listen.Check(e.cfg, listen.Deps{Section: e.section}))
	}
	return errors.Join(errs...)
}

// callsShare is the share of the time for a stop that calls under way have. The rest is for the decision log: a call
// that does not end must not lose the events of those that did.
const callsShare = 0.75

// stopDoors stops accepting calls, and waits for those under way.
func (a *App) stopDoors(ctx context.Context) error {
	if end, ok := ctx.Deadline(); ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, time.Duration(float64(time.Until(end))*callsShare))
		defer cancel()
	}
	errs := make([]error, len(a.doors))
	var stopping sync.WaitGroup
	for i, d := range a.doors {
		stopping.Go(func() {
			if err := d.Shutdown(ctx); err != nil {
				errs[i] = fmt.Errorf("stop listen.%s: %w", d.name, err)
			}
		})
	}
	stopping.Wait()
	return errors.Join(errs...)
}

// Addr is the address of the listener of a name, such as api, with the port that it got for port 0.
func (a *App) Addr(name string) net.Addr {
	for _, d := range a.doors {
		if d.name == name {
			return d.Addr()
		}
	}
	return nil
}

// addresses names every listener and its address, for the log.
func (a *App) addresses() []any {
	var all []any
	for _, d := range a.doors {
		all = append(all, d.name, d.Addr().String())
	}
	return all
}

func (a *App) listenerStatus() []status.Listener {
	var all []status.Listener
	for _, d := range a.doors {
		l := status.Listener{Name: d.name, Address: d.Addr().String()}
		d.files.AddStatus(&l)
		all = append(all, l)
	}
	return all
}

// APIAddr is the address of the api listener.
func (a *App) APIAddr() net.Addr { return a.Addr("api") }

// AdminAddr is the address of the admin listener.
func (a *App) AdminAddr() net.Addr { return a.Addr("admin") }
