//go:build real

package realtest

import (
	"io"
	"net"
	"sync"
	"testing"

	"github.com/authz-sidecar/sidecar/internal/testkit"
)

// linkFault is what goes wrong between a gateway and the sidecar.
type linkFault string

const (
	linkWorks    linkFault = ""
	linkBreaks   linkFault = "breaks off" // after the gateway has asked
	linkChatters linkFault = "answers what is no HTTP"
)

// link is the connection between a gateway and the sidecar, which can go wrong.
type link struct {
	listener net.Listener
	to       string
	mu       sync.Mutex
	fault    linkFault         // guarded by mu
	open     map[net.Conn]bool // guarded by mu
	serving  sync.WaitGroup
}

// startLink leads to an address until the end of t.
func startLink(t *testing.T, to string) *link {
	t.Helper()
	l := &link{listener: testkit.Listen(t), to: to, open: map[net.Conn]bool{}}
	l.serving.Go(func() {
		for {
			conn, err := l.listener.Accept()
			if err != nil {
				return
			}
			l.keep(conn)
			l.serving.Go(func() { l.serve(conn) })
		}
	})
	t.Cleanup(l.end)
	return l
}

func (l *link) keep(conn net.Conn) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.open[conn] = true
}

// set ends all connections; later ones go wrong in that way.
func (l *link) set(fault linkFault) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.fault = fault
	for conn := range l.open {
		_ = conn.Close()
	}
	clear(l.open)
}

// end refuses connections from now on.
func (l *link) end() {
	_ = l.listener.Close()
	l.set(linkWorks)
	l.serving.Wait()
}

func (l *link) serve(conn net.Conn) {
	defer conn.Close()
	l.mu.Lock()
	fault := l.fault
	l.mu.Unlock()
	if fault != linkWorks {
		_, _ = conn.Read(make([]byte, 64<<10))
		if fault == linkChatters {
			_, _ = io.WriteString(conn, "this is not HTTP\r\n\r\n")
		}
		return
	}
	there, err := net.Dial("tcp", l.to)
	if err != nil {
		return
	}
	defer there.Close()
	l.keep(there)
	done := make(chan struct{})
	go func() {
		defer close(done)
		_, _ = io.Copy(there, conn)
		_ = there.Close()
	}()
	_, _ = io.Copy(conn, there)
	_ = conn.Close()
	<-done
}
