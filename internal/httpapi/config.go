package httpapi

import "time"

// Config is the two HTTP listeners.
type Config struct {
	API   Listener `yaml:"api" doc:"Decisions and probes, for applications and gateways."`
	Admin Listener `yaml:"admin" doc:"Metrics, status and probes, for operators."`
}

// Listener is one address and who may use it.
type Listener struct {
	Address        string `yaml:"address" doc:"host:port, or unix:///path?mode=0660."`
	Insecure       bool   `yaml:"insecure" doc:"Serve without TLS although the address is not loopback or a Unix socket."`
	TLS            TLS    `yaml:"tls" doc:"Server certificate; empty serves plain HTTP."`
	BearerKeysFile string `yaml:"bearer_keys_file" doc:"File of keys, one a line; calls must carry one as Authorization: Bearer. Empty asks for none."`
	Limits         Limits `yaml:"limits" doc:"What one call may cost."`
}

// TLS names the files of a server certificate, and of the authority of client certificates when those are required.
type TLS struct {
	CertFile     string `yaml:"cert_file" doc:"PEM certificate chain."`
	KeyFile      string `yaml:"key_file" doc:"PEM private key."`
	ClientCAFile string `yaml:"client_ca_file" doc:"PEM authorities; when set, callers must present a certificate of theirs."`
}

// Limits bounds a call. A call over a limit is refused, never cut short.
type Limits struct {
	BodyBytes   int64         `yaml:"body_bytes" default:"1048576" min:"1024" doc:"Largest body of a call."`
	HeaderBytes int           `yaml:"header_bytes" default:"65536" min:"4096" doc:"Largest header block of a call."`
	BatchItems  int           `yaml:"batch_items" default:"100" min:"1" doc:"Most items of a batch."`
	ReadTimeout time.Duration `yaml:"read_timeout" default:"10s" min:"100ms" doc:"Time to receive a call."`
	Timeout     time.Duration `yaml:"timeout" default:"10s" min:"10ms" doc:"Time to answer a call."`
	IdleTimeout time.Duration `yaml:"idle_timeout" default:"2m" min:"1s" doc:"Time a connection may be idle."`
}
