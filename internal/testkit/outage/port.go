//go:build unix

package outage

import (
	"fmt"
	"net"
	"os"
	"syscall"
)

// Port is a TCP port of 127.0.0.1 that is held without a listener: a connection to it is refused, and no other program
// gets it, until Close. Its holder, or a program that its holder starts, can listen on it meanwhile, once or several
// times: like the port itself, such a listener has the socket option SO_REUSEADDR, which Go, Java, Node and Python set.
type Port struct {
	fd   int
	addr string
}

// HoldPort takes a free port.
func HoldPort() (*Port, error) {
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM, 0)
	if err != nil {
		return nil, os.NewSyscallError("socket", err)
	}
	p := &Port{fd: fd}
	syscall.CloseOnExec(fd)
	if err := p.bind(); err != nil {
		p.Close()
		return nil, fmt.Errorf("hold a port: %w", err)
	}
	return p, nil
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
	p.addr = fmt.Sprintf("127.0.0.1:%d", name.(*syscall.SockaddrInet4).Port)
	return nil
}

// Addr is "127.0.0.1:<port>".
func (p *Port) Addr() string { return p.addr }

// Listen listens on the port. Closing the listener leaves the port held.
func (p *Port) Listen() (net.Listener, error) { return net.Listen("tcp4", p.addr) }

// Close gives the port back.
func (p *Port) Close() { _ = syscall.Close(p.fd) }
