// Package probe asks a running sidecar whether it is ready or alive, over every kind of listener that it can have.
package probe

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"strings"
	"syscall"
	"time"
	"unicode"

	"github.com/go-json-experiment/json"

	"github.com/authz-sidecar/sidecar/internal/httpclient"
)

// The paths of the probes.
const (
	Ready = "/readyz"
	Live  = "/livez"
)

// Target is a probe of a sidecar.
type Target struct {
	// URL is http://host:port, https://host:port or unix:///path of a socket. A path behind the port is asked in place
	// of Path.
	URL string
	// Path is Ready or Live.
	Path string
	// CAFile has the authorities that may have issued the certificate of the listener; empty means those of the
	// system. A socket is spoken to by TLS where it is set.
	CAFile string
	// ServerName is the name that the certificate must have; empty means that of URL.
	ServerName string
	// CertFile and KeyFile are the certificate that is shown to a listener that asks for one.
	CertFile, KeyFile string

	// own is the file of the listener's own certificate, which is then the only one that is trusted.
	own string
	// addresses are asked one after the other in place of the host of URL.
	addresses []string
}

// String is what is asked, for people.
func (t Target) String() string {
	if strings.HasPrefix(t.URL, unixScheme) {
		return t.Path + " at " + t.URL
	}
	if u, err := t.parse(); err == nil {
		return u.String()
	}
	return t.URL
}

const unixScheme = "unix://"

// Check says what is wrong with the target before anything is asked.
func (t Target) Check() error {
	if (t.CertFile == "") != (t.KeyFile == "") {
		return errors.New("a client certificate needs both its file and that of its key")
	}
	_, err := t.parse()
	return err
}

// errURL does not quote the URL: a password may be in it.
var errURL = errors.New("the URL of a listener is http://host:port, https://host:port or unix:///path, without a user")

// parse returns the URL that is asked. For a socket it has a host that stands for it.
func (t Target) parse() (*url.URL, error) {
	u, err := url.Parse(t.URL)
	switch {
	case err != nil || u.User != nil || u.Fragment != "":
		return nil, errURL
	case u.Scheme == "unix" && u.Host == "" && strings.HasPrefix(u.Path, "/"):
		scheme := "http"
		if t.CAFile != "" || t.own != "" {
			scheme = "https"
		}
		return &url.URL{Scheme: scheme, Host: "localhost", Path: t.Path}, nil
	case u.Scheme != "http" && u.Scheme != "https" || u.Host == "":
		return nil, errURL
	}
	if u.Path == "" || u.Path == "/" {
		u.Path = t.Path
	}
	return u, nil
}

// Ask returns nil when the probe says that all is well, and else an error of one line that says why not. ctx bounds
// the time.
func (t Target) Ask(ctx context.Context) error {
	u, err := t.parse()
	if err != nil {
		return err
	}
	err = t.once(ctx, u)
	for errors.Is(err, errOther) && sleep(ctx, lookAgain) { // the listener reads changed files within a second
		again := t.once(ctx, u)
		if ctx.Err() != nil { // there was no time for an answer, and the first one stands
			return err
		}
		err = again
	}
	return err
}

// lookAgain is the pause between two attempts while file and listener have different certificates.
const lookAgain = 200 * time.Millisecond

func sleep(ctx context.Context, d time.Duration) bool {
	if end, ok := ctx.Deadline(); ok && time.Until(end) <= d {
		return false
	}
	select {
	case <-time.After(d):
		return true
	case <-ctx.Done():
		return false
	}
}

// once is one exchange, over a connection of its own and past every proxy.
func (t Target) once(ctx context.Context, u *url.URL) error {
	client, err := t.client()
	if err != nil {
		return err
	}
	defer client.CloseIdle()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return err
	}
	a, err := client.Do(req, mostBytes)
	for i := 0; i < moreAttempts && brokenOff(err); i++ {
		a, err = client.Do(req, mostBytes)
	}
	if err != nil {
		return describe(err)
	}
	return verdict(a)
}

// moreAttempts are those after one whose connection broke off. A listener that refuses a client after the handshake,
// as TLS 1.3 does for lack of a certificate, says why and closes: what it says is lost when the request arrives then.
const moreAttempts = 3

func brokenOff(err error) bool {
	return errors.Is(err, syscall.EPIPE) || errors.Is(err, syscall.ECONNRESET)
}

const mostBytes = 64 << 10

func (t Target) dial(ctx context.Context, network, address string) (conn net.Conn, err error) {
	var d net.Dialer
	if path, ok := strings.CutPrefix(t.URL, unixScheme); ok {
		path, _, _ = strings.Cut(path, "?") // the mode of an address in the configuration
		return d.DialContext(ctx, "unix", path)
	}
	if t.addresses == nil {
		return d.DialContext(ctx, network, address)
	}
	for _, a := range t.addresses {
		if conn, err = d.DialContext(ctx, network, a); err == nil {
			return conn, nil
		}
	}
	return nil, err
}

// verdict reads the answer of a probe.
func verdict(a httpclient.Answer) error {
	if a.Status == http.StatusOK {
		return nil
	}
	var told struct {
		Because string `json:"because"`
		Message string `json:"message"`
	}
	_ = json.Unmarshal(a.Body, &told)
	if why := cmp.Or(told.Message, told.Because); why != "" {
		return errors.New("not ready: " + printable(why))
	}
	return fmt.Errorf("the answer is %d %s", a.Status, http.StatusText(a.Status))
}

// printable is s on one line, for a terminal: another program may have answered.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, s)
}

// describe is why there is no answer.
func describe(err error) error {
	_, cause := httpclient.Describe(err)
	switch {
	case errors.Is(err, errOther):
		return errOther
	case errors.Is(err, fs.ErrNotExist):
		return errors.New("there is no such socket")
	case errors.Is(err, fs.ErrPermission):
		return errors.New("permission denied: ask as a user who may write to the socket")
	case strings.Contains(cause, "certificate required"):
		cause += ": name a client certificate that it accepts, and its key"
	}
	return errors.New(cause)
}
