//go:build unix

package testkit

import (
	"fmt"
	"net"
	"os"
	"syscall"
	"testing"
)

// Port is a TCP port of 127.0.0.1 that is held without a listener: a connection to it is refused, and no other program
// gets it, until the end of the test. The test, or a program that it starts, can listen on the port meanwhile, once or
// several times: like the port itself, such a listener has the socket option SO_REUSEADDR, which Go, Java, Node and
// Python set.
type Port struct {
	fd     int
	number int
	addr   string
}

// HoldPort takes a free port until the end of the test.
func HoldPort(t testing.TB) *Port {
	t.Helper()
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM, 0)
	if err != nil {
		t.Fatalf("hold a port: %v", os.NewSyscallError("socket", err))
	}
	t.Cleanup(func() { _ = syscall.Close(fd) })
	syscall.CloseOnExec(fd)
	p := &Port{fd: fd}
	if err := p.bind(); err != nil {
		t.Fatalf("hold a port: %v", err)
	}
	return p
}

func (p *Port) bind() error {
	if err := syscall.SetsockoptInt(p.fd, syscall.SOL_SOCKET, syscall.SO_REUSEADDR, 1); err != nil {
		return os.NewSyscallError("setsockopt", err)
	}
	if err := syscall.Bind(p.fd, &syscall.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		return os.NewSyscallError("bind", err)
	}
	name, err := syscall.Getsockname(p.fd)
	if err != nil {
		return os.NewSyscallError("getsockname", err)
	}
	p.number = name.(*syscall.SockaddrInet4).Port
	p.addr = fmt.Sprintf("127.0.0.1:%d", p.number)
	return nil
}

// Addr is "127.0.0.1:<port>".
func (p *Port) Addr() string { return p.addr }

// Number is the number of the port.
func (p *Port) Number() int { return p.number }

// Listen listens on the port. Closing the listener leaves the port held.
func (p *Port) Listen() (net.Listener, error) { return net.Listen("tcp4", p.addr) }
