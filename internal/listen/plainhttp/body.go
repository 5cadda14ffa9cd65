package plainhttp

import (
	"io"
	"net/http"
	"sync"
)

// body is the body of a call.
type body struct {
	mu    sync.Mutex
	rest  []byte
	fault error // instead of io.EOF
}

func (b *body) Read(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	n := copy(p, b.rest)
	b.rest = b.rest[n:]
	switch {
	case len(b.rest) > 0:
		return n, nil
	case b.fault != nil:
		return n, b.fault
	}
	return n, io.EOF
}

// Close implements io.Closer.
func (b *body) Close() error {
	b.end()
	return nil
}

// end closes the body, also for a handler that kept it: what follows in memory is of the next call.
func (b *body) end() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.rest, b.fault = nil, http.ErrBodyReadAfterClose
}
