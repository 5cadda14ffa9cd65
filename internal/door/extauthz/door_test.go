package extauthz_test

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"path/filepath"
	"testing"

	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/protobuf/proto"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/door/extauthz"
	"github.com/authz-sidecar/sidecar/internal/testkit"
)

// stream begins a call and sends nothing.
func (w *world) stream(t testing.TB, options ...grpc.CallOption) (grpc.ClientStream, error) {
	t.Helper()
	return w.conn.NewStream(t.Context(), &grpc.StreamDesc{ClientStreams: true}, "/"+authorization+"/Check", options...)
}

// asIs is a codec that sends bytes as they are.
type asIs struct{}

func (asIs) Name() string                  { return "proto" }
func (asIs) Marshal(v any) ([]byte, error) { return v.([]byte), nil }
func (asIs) Unmarshal(data []byte, v any) error {
	return proto.Unmarshal(data, v.(*authv3.CheckResponse))
}

// send asks by a message of any bytes.
func (w *world) send(t testing.TB, message []byte) *authv3.CheckResponse {
	t.Helper()
	s, err := w.stream(t, grpc.ForceCodec(asIs{}))
	if err == nil {
		err = s.SendMsg(message)
	}
	out := new(authv3.CheckResponse)
	if err == nil {
		err = s.RecvMsg(out)
	}
	if err != nil {
		t.Fatalf("the call failed, which failure_mode_allow lets pass: %v", err)
	}
	sound(t, out)
	return out
}

func TestADoorServesOnAUnixSocket(t *testing.T) {
	cfg := listener()
	cfg.Address = "unix://" + filepath.Join(t.TempDir(), "s")
	var caller string
	w := serve(t, cfg, extauthz.Deps{Point: decide(func(_ context.Context, q authz.Query) authz.Decision {
		caller = q.Caller
		return allowed()
	})})
	if out := w.check(t, get()); out.GetOkResponse() == nil {
		t.Errorf("got %v", out)
	}
	if caller != "@" {
		t.Errorf("the caller is %q", caller)
	}
}

func TestADoorServesOverTLSToCallersWithACertificate(t *testing.T) {
	authority := testkit.NewAuthority(t)
	cfg := listener()
	cfg.TLS.CertFile, cfg.TLS.KeyFile = authority.Server(t).Files(t)
	cfg.TLS.ClientCAFile = testkit.TempFile(t, "ca.pem", authority.PEM())
	client := &tls.Config{ServerName: "127.0.0.1", RootCAs: authority.Pool(), MinVersion: tls.VersionTLS12}
	stranger := serve(t, cfg, extauthz.Deps{Point: says(allowed())},
		grpc.WithTransportCredentials(credentials.NewTLS(client)))
	if _, err := stranger.client.Check(t.Context(), get()); err == nil {
		t.Error("a caller without certificate is served")
	}
	known := client.Clone()
	known.Certificates = []tls.Certificate{authority.Client(t, "envoy").Certificate}
	w := serve(t, cfg, extauthz.Deps{Point: says(allowed())}, grpc.WithTransportCredentials(credentials.NewTLS(known)))
	if out := w.check(t, get()); out.GetOkResponse() == nil {
		t.Errorf("got %v", out)
	}
}

func TestACallUnderWayIsAnsweredAtTheStop(t *testing.T) {
	arrived, release := make(chan struct{}), make(chan struct{})
	w := serve(t, listener(), extauthz.Deps{Point: decide(func(context.Context, authz.Query) authz.Decision {
		close(arrived)
		<-release
		return allowed()
	})})
	answered := make(chan error, 1)
	go func() {
		_, err := w.client.Check(context.Background(), get())
		answered <- err
	}()
	<-arrived
	stopped := make(chan error, 1)
	go func() { stopped <- w.Shutdown(context.Background()) }()
	testkit.Eventually(t, "the door is shut", func() bool {
		c, err := net.Dial("tcp", w.Addr().String())
		if err == nil {
			_ = c.Close()
		}
		return err != nil
	})
	close(release)
	if err := <-answered; err != nil {
		t.Errorf("the call under way ended with %v", err)
	}
	if err := <-stopped; err != nil {
		t.Errorf("the stop ended with %v", err)
	}
}

func TestAStopEndsInItsTimeWhateverCallersDo(t *testing.T) {
	release := make(chan struct{})
	arrived := make(chan struct{})
	w := serve(t, listener(), extauthz.Deps{Point: decide(func(context.Context, authz.Query) authz.Decision {
		close(arrived)
		<-release
		return allowed()
	})})
	defer close(release)
	half, err := net.Dial("tcp", w.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer half.Close()
	if _, err := half.Write([]byte("PRI * HTTP/2.0\r\n")); err != nil {
		t.Fatal(err)
	}
	go func() { _, _ = w.client.Check(context.Background(), get()) }()
	<-arrived
	over, stop := context.WithCancel(context.Background())
	stop()
	if err := w.Shutdown(over); !errors.Is(err, context.Canceled) {
		t.Errorf("the stop ended with %v", err)
	}
}

// TestAConnectionWithoutACallKeepsNoStop: balancers open connections in advance.
func TestAConnectionWithoutACallKeepsNoStop(t *testing.T) {
	w := serve(t, listener(), extauthz.Deps{Point: says(allowed())})
	silent, err := net.Dial("tcp", w.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	w.check(t, get()) // so that the connection before it is accepted
	if err := w.Shutdown(t.Context()); err != nil {
		t.Errorf("the stop ended with %v", err)
	}
}

func TestADoorThatNeverServedIsClosed(t *testing.T) {
	w := serve(t, listener(), extauthz.Deps{Point: says(allowed())})
	if err := w.Shutdown(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := w.Serve(); err != nil {
		t.Errorf("serving after the stop ended with %v", err)
	}
}
