package listen

import (
	"fmt"
	"io/fs"
	"net"
	"net/url"
	"os"
	"path"
	"strconv"
	"strings"
	"time"

	"github.com/authz-sidecar/sidecar/internal/httpuri"
)

// Config is one listener: its address, and which calls it accepts.
type Config struct {
	Address        string   `yaml:"address" doc:"host:port, or unix:///path?mode=0660."`
	Insecure       bool     `yaml:"insecure" doc:"Serve without TLS although the address is not loopback or a Unix socket."`
	TLS            TLS      `yaml:"tls" doc:"Server certificate; empty serves plain HTTP."`
	Hosts          []string `yaml:"hosts" doc:"Further host names and addresses, without port, that the listener accepts in Host and Origin of a call. Loopback and the listener's own address need not be listed; * accepts every name."`
	BearerKeysFile string   `yaml:"bearer_keys_file" doc:"File of caller keys, one per line; calls must carry one as Authorization: Bearer. Empty requires none."`
	Limits         Limits   `yaml:"limits" doc:"Limits of one call."`
}

// Limits bounds a call. A call over a limit is refused; it is never truncated.
type Limits struct {
	BodyBytes   int64         `yaml:"body_bytes" default:"1048576" min:"1024" doc:"Largest body of a call."`
	HeaderBytes int           `yaml:"header_bytes" default:"65536" min:"4096" doc:"Largest header block of a call."`
	BatchItems  int           `yaml:"batch_items" default:"100" min:"1" doc:"Most items of a batch."`
	ReadTimeout time.Duration `yaml:"read_timeout" default:"10s" min:"100ms" doc:"Time to receive a call."`
	Timeout     time.Duration `yaml:"timeout" default:"10s" min:"10ms" doc:"Time to answer a call."`
	IdleTimeout time.Duration `yaml:"idle_timeout" default:"2m" min:"1s" doc:"Time a connection may be idle."`
	PerCaller   PerCaller     `yaml:"per_caller" doc:"How often one caller may call. A caller is known by its caller key, else by its client certificate, else by its address."`
}

// Off reports whether nothing listens: there is no address.
func (c Config) Off() bool { return c.Address == "" }

// Check reports an address that cannot be opened, or that would accept calls from other machines without TLS although
// insecure is not set.
func (c Config) Check(fault func(key, cause, hint string)) {
	switch {
	case c.Off():
		if c.Insecure || !c.TLS.empty() || len(c.Hosts) > 0 || c.BearerKeysFile != "" {
			fault("address", "is empty, and other keys of the listener are set",
				"write host:port, or unix:///path?mode=0660")
		}
	case isSocket(c.Address):
		c.checkSocket(fault)
	default:
		c.checkPort(fault)
	}
	for i, h := range c.Hosts {
		if _, ok := httpuri.ConfiguredHost(h); !ok && h != httpuri.AnyName {
			fault(fmt.Sprintf("hosts[%d]", i), fmt.Sprintf("%q is no host", h),
				"write a name or an address, without scheme, port and path")
		}
	}
	if len(c.Hosts) > 0 && isSocket(c.Address) {
		fault("hosts", "a Unix socket has no names", "remove it")
	}
}

func isSocket(address string) bool { return strings.HasPrefix(address, "unix:") }

func (c Config) checkPort(fault func(key, cause, hint string)) {
	host, port, err := net.SplitHostPort(c.Address)
	if err != nil {
		hint := `write one such as "127.0.0.1:8181" or "[::1]:8181"`
		if path.IsAbs(c.Address) {
			hint = "write a socket as unix://" + path.Clean(c.Address)
		}
		fault("address", fmt.Sprintf("%q is not host:port", c.Address), hint)
		return
	}
	if _, err := strconv.ParseUint(port, 10, 16); err != nil {
		fault("address", fmt.Sprintf("port %q is not a number from 0 to 65535", port),
			`write one such as "127.0.0.1:8181"`)
		return
	}
	if !httpuri.Loopback(host) && c.TLS.CertFile == "" && !c.Insecure {
		fault("address", fmt.Sprintf("%q is neither loopback nor a Unix socket: it needs tls or insecure: true",
			c.Address), "set tls.cert_file and tls.key_file, or listen on 127.0.0.1")
	}
}

func (c Config) checkSocket(fault func(key, cause, hint string)) {
	const example = "write one such as unix:///run/sidecar/api.sock?mode=0660"
	u, err := url.Parse(c.Address)
	if err != nil || u.Host != "" || u.User != nil || u.Fragment != "" || !path.IsAbs(u.Path) ||
		strings.HasSuffix(u.Path, "/") {
		fault("address", fmt.Sprintf("%q is not unix:///path", c.Address), example)
		return
	}
	q, err := url.ParseQuery(u.RawQuery)
	if mode := q["mode"]; err != nil || len(q) > 1 || len(q) == 1 && len(mode) != 1 {
		fault("address", fmt.Sprintf("%q may have no other option than one mode", c.Address), example)
	} else if len(mode) == 1 {
		if bits, err := strconv.ParseUint(mode[0], 8, 32); err != nil || bits > 0o777 {
			fault("address", fmt.Sprintf("mode %q is not an octal file mode", mode[0]), example)
		}
	}
	// Linux keeps the path of a socket in 108 bytes, one of them for the end.
	const longest = 107
	if len(u.Path) > longest {
		fault("address", fmt.Sprintf("the path of the socket is over %d bytes", longest), "choose a shorter one")
	}
	if info, err := os.Stat(path.Dir(u.Path)); err != nil || !info.IsDir() {
		fault("address", fmt.Sprintf("directory %q does not exist", path.Dir(u.Path)),
			"create it, writable for the sidecar")
	} else if info, err := os.Stat(u.Path); err == nil && info.Mode().Type() != fs.ModeSocket {
		fault("address", fmt.Sprintf("%q is there already, and is no socket", u.Path),
			"choose a path where nothing is, or remove it")
	}
}
