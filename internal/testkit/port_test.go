package testkit

import (
	"errors"
	"net"
	"syscall"
	"testing"
)

func TestAHeldPortRefusesConnectionsBeforeAndAfterItsListener(t *testing.T) {
	p := HoldPort(t)
	refused := func() {
		t.Helper()
		if _, err := net.Dial("tcp", p.Addr()); !errors.Is(err, syscall.ECONNREFUSED) {
			t.Errorf("dialing gives %v, want a refused connection", err)
		}
	}
	for range 3 {
		refused()
		ln, err := p.Listen()
		if err != nil {
			t.Fatal(err)
		}
		conn, err := net.Dial("tcp", p.Addr())
		if err != nil {
			t.Fatal(err)
		}
		conn.Close()
		ln.Close()
	}
	refused()
}

func TestAHeldPortIsGivenToNoOtherListener(t *testing.T) {
	p := HoldPort(t)
	_, held, _ := net.SplitHostPort(p.Addr())
	for range 20000 {
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		_, got, _ := net.SplitHostPort(ln.Addr().String())
		ln.Close()
		if got == held {
			t.Fatal("another listener was given the port")
		}
	}
}
