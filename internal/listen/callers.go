package listen

import (
	"fmt"
	"log/slog"
	"math"
	"net"
	"strconv"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"github.com/authz-sidecar/sidecar/internal/metrics"
	"github.com/authz-sidecar/sidecar/internal/recent"
)

// PerCaller bounds how often one caller calls.
type PerCaller struct {
	Rate  float64 `yaml:"rate" default:"0" min:"0" max:"1000000" doc:"Calls per second of one caller, on average. 0 sets no limit."`
	Burst int     `yaml:"burst" default:"0" min:"0" max:"1000000" doc:"Calls of one caller that may come at once. 0 is the calls of one second, and one call at least."`
}

// Check reports a burst without a rate.
func (p PerCaller) Check(fault func(key, cause, hint string)) {
	if p.Burst > 0 && p.Rate == 0 {
		fault("burst", "is set, and rate sets no limit", "set rate too, or remove it")
	}
}

// mostCallers bounds the callers of a listener that have a limit of their own. Of more callers those that called last
// are remembered, and the others begin anew.
const mostCallers = 10_000

// callers limits how often each caller of a listener calls.
type callers struct {
	listener string
	cfg      PerCaller
	names    []string // of certificates
	log      *slog.Logger
	refused  *metrics.Counters
	tell     rate.Sometimes

	mu    sync.Mutex
	known *recent.Map[caller, *rate.Limiter]
}

// tellEvery is how often the log tells that callers are refused.
const tellEvery = 10 * time.Second

// newCallers returns nil when cfg sets no limit.
func newCallers(cfg Config, deps Deps) *callers {
	refused := metrics.NewCounters(metrics.With(deps.Metrics, "listener", deps.Name),
		"sidecar_listen_limited_calls_total", "Calls over limits.per_caller, which were refused, by what the caller is "+
			"known by.", "caller", byKey, byCertificate, byAddress, byUser)
	limit := cfg.Limits.PerCaller
	if limit.Rate <= 0 {
		return nil
	}
	if limit.Burst == 0 {
		limit.Burst = int(math.Ceil(limit.Rate))
	}
	return &callers{listener: deps.Name, cfg: limit, names: cfg.TLS.ClientNames, log: deps.Log, refused: refused,
		tell: rate.Sometimes{First: 1, Interval: tellEvery}, known: recent.New[caller, *rate.Limiter](mostCallers, 0)}
}

// OverLimit is the error of a call whose caller calls too often.
type OverLimit struct {
	// Wait is when the caller may call again.
	Wait time.Duration
}

func (e *OverLimit) Error() string { return "the caller is over limits.per_caller of the listener" }

// RetryAfter is the wait in whole seconds, rounded up: the value of the header of that name.
func (e *OverLimit) RetryAfter() string {
	return strconv.FormatInt(int64(math.Ceil(max(1, e.Wait.Seconds()))), 10)
}

// admit returns an *OverLimit for a call too many. A call that is refused uses nothing up. key is nil without one.
func (c *callers) admit(conn net.Conn, key *callerKey) error {
	if c == nil {
		return nil
	}
	who, now := callerOf(conn, key, c.names), time.Now()
	left, ok := c.take(who, now)
	if ok {
		return nil
	}
	c.refused.Inc(who.by)
	c.tell.Do(func() {
		c.log.Warn("calls of a caller are refused: it is over limits.per_caller", "listener", c.listener,
			"known_by", who.by, "caller", who.name)
	})
	return &OverLimit{time.Duration((1 - left) / c.cfg.Rate * float64(time.Second))}
}

// take takes one call from those that a caller has left. ok is false when that is less than one.
func (c *callers) take(who caller, now time.Time) (left float64, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	l, known := c.known.Get(who, now)
	if !known {
		l = rate.NewLimiter(rate.Limit(c.cfg.Rate), c.cfg.Burst)
		c.known.Put(who, l, now)
	}
	return l.TokensAt(now), l.AllowN(now, 1)
}

// caller is who calls. name is for the log; by and id tell a caller from others.
type caller struct{ by, id, name string }

// What callers are known by: values of a metric's label.
const (
	byKey         = "key"
	byCertificate = "certificate"
	byAddress     = "address"
	byUser        = "user"
)

// callerOf is who made a call on a connection, by a caller key or by none.
func callerOf(conn net.Conn, key *callerKey, names []string) caller {
	if key != nil {
		return caller{byKey, string(key.digest[:]), fmt.Sprintf("line %d of bearer_keys_file", key.line)}
	}
	if name := certificateOf(conn, names); name != "" {
		return caller{byCertificate, name, name}
	}
	if secured, ok := conn.(interface{ NetConn() net.Conn }); ok {
		conn = secured.NetConn()
	}
	if local, ok := conn.(*net.UnixConn); ok {
		user := peerUser(local)
		return caller{byUser, user, user}
	}
	name := addressOf(conn)
	return caller{byAddress, name, name}
}
