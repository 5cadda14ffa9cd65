package extauthz

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	"google.golang.org/grpc"

	"github.com/authz-sidecar/sidecar/internal/door"
)

// reception is the wait for the message of one call.
type reception struct {
	stream grpc.ServerStream
	in     *received
	ended  chan error // of one
	late   *time.Timer
}

// receptions are goroutines that receive messages. They are kept, as the stack of a new one is too small to decode a
// message in: to grow it took a fifth of the processor time of a check (November 2026, grpc 1.85). The zero
// receptions is ready for use.
type receptions struct {
	once    sync.Once
	waiting chan *reception
	idle    atomic.Int64
	pool    sync.Pool // of *reception
}

// receive reads the check, or says why it is refused. Who began a call and sends nothing is answered in time: when the
// limit of the door is over, or the time that ctx leaves.
func (k *receptions) receive(
	ctx context.Context, s grpc.ServerStream, limit time.Duration,
) (*authv3.CheckRequest, door.Undecided, error) {
	if end, ok := ctx.Deadline(); ok {
		limit = min(limit, time.Until(end))
	}
	r, _ := k.pool.Get().(*reception)
	if r == nil {
		r = &reception{ended: make(chan error, 1), late: time.NewTimer(limit)}
	} else {
		r.late.Reset(limit)
	}
	in := new(received)
	r.stream, r.in = s, in
	k.hand(r)
	var err error
	select {
	case err = <-r.ended:
	case <-r.late.C:
		return nil, door.TooSlow, tooSlow(ctx)
	case <-s.Context().Done(): // not that of ctx, which would need a timer
		return nil, door.TooSlow, tooSlow(ctx)
	}
	r.late.Stop()
	r.stream, r.in = nil, nil
	k.pool.Put(r)
	switch {
	case err != nil: // the caller is gone, or gRPC has answered
		return nil, door.Unreadable, err
	case in.tooLarge:
		return nil, door.TooLarge, in.err
	}
	return &in.check, door.Unreadable, in.err
}

func tooSlow(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	return errors.New("the call brought no message in time")
}

// hand gives r to a goroutine that waits for one, or else to a new one.
func (k *receptions) hand(r *reception) {
	k.once.Do(func() { k.waiting = make(chan *reception) })
	select {
	case k.waiting <- r:
	default:
		go k.work(r)
	}
}

// work receives messages until enough others wait for work, or none has come for a while.
func (k *receptions) work(r *reception) {
	idle := time.NewTimer(idleFor)
	defer idle.Stop()
	for {
		r.ended <- r.stream.RecvMsg(r.in) // ends with the call
		if k.idle.Add(1) > workers {
			k.idle.Add(-1)
			return
		}
		idle.Reset(idleFor)
		select {
		case r = <-k.waiting:
			k.idle.Add(-1)
		case <-idle.C:
			k.idle.Add(-1)
			return
		}
	}
}

// idleFor is how long a goroutine waits for a message to receive.
const idleFor = time.Second
