// Package source keeps bundles that come as archives: from files, from HTTP servers, from OCI registries and from
// object stores. Each source has the last archive that was good; a download that fails, or an archive that is refused,
// never takes it away.
package source

import (
	"time"

	"github.com/authz-sidecar/sidecar/internal/bundle/signature"
	"github.com/authz-sidecar/sidecar/internal/oauth"
)

// Config is one source: a bundle that is an archive or a folder on this machine, or an archive on a server.
type Config struct {
	Name string `yaml:"name" doc:"Name of this bundle in messages, status and metrics: lower-case letters, digits, - and _."`
	Path string `yaml:"path" path:"read" doc:"Archive (.tar.gz) or folder in OPA's bundle layout, read again when it changes. Or set url."`
	URL  string `yaml:"url" doc:"Where the archive is downloaded: https://HOST/PATH, or oci://REGISTRY/REPOSITORY:TAG. Or set path."`

	CAFile            string       `yaml:"ca_file" doc:"PEM file of the certificate authorities that are trusted for this server, instead of the system's. Read again when it changes."`
	AllowInsecureHTTP bool         `yaml:"allow_insecure_http" doc:"Permit http, and only to loopback addresses."`
	Client            oauth.Client `yaml:"client" default:"auth=none" doc:"How the sidecar authenticates to the server, as to an issuer. client_secret_basic is HTTP Basic."`
	Issuer            string       `yaml:"issuer" doc:"Issuer whose metadata names the token endpoint, for client.auth client_credentials."`
	TokenEndpoint     string       `yaml:"token_endpoint" doc:"Token endpoint, for client.auth client_credentials. Overrides discovery."`
	Cloud             Cloud        `yaml:"cloud" doc:"Credentials of a cloud, for an object store. Used in place of client."`

	Signature signature.Config `yaml:"signature" doc:"Who must have signed the bundle."`

	Poll     Poll          `yaml:"poll" doc:"When the server is asked for a newer archive."`
	Timeout  time.Duration `yaml:"timeout" default:"30s" min:"100ms" max:"1h" doc:"Timeout of one download, connection and archive together; poll.wait comes on top."`
	MaxBytes int64         `yaml:"max_bytes" default:"67108864" min:"1024" max:"1073741824" doc:"Largest archive that is downloaded, in bytes as they are sent."`

	Persist      string        `yaml:"persist" doc:"Directory that keeps the archive that was activated last. A start uses it at once, without the server."`
	StartTimeout time.Duration `yaml:"start_timeout" default:"30s" min:"100ms" max:"1h" doc:"Longest time a start waits for the first download, when nothing is persisted."`
	MaxAge       time.Duration `yaml:"max_age" doc:"Time since the server last confirmed the archive after which it is stale. 0 sets no limit."`
	WhenStale    string        `yaml:"when_stale" default:"warn" enum:"warn|unready|deny" doc:"What a stale archive does: warn tells the log, the metrics and the status; unready makes /readyz 503; deny makes decisions unavailable."`
	Downgrade    string        `yaml:"downgrade" default:"refuse" enum:"refuse|allow" doc:"Whether an archive of an older revision may replace a newer one."`
}

// Poll says when a server is asked.
type Poll struct {
	Min  time.Duration `yaml:"min" default:"30s" min:"100ms" max:"24h" doc:"Least time between two questions."`
	Max  time.Duration `yaml:"max" default:"60s" min:"100ms" max:"24h" doc:"Most time between two questions. The time is random between the two, so that instances do not ask together."`
	Wait time.Duration `yaml:"wait" max:"10m" doc:"Long polling: how long the server may wait for a change before it answers. 0 does not ask for that."`
}

// Cloud names credentials that OPA knows how to find, for object stores.
type Cloud struct {
	Vendor      string   `yaml:"vendor" default:"none" enum:"none|aws|gcp|azure" doc:"Whose credentials are used: aws signs requests (S3), gcp and azure send a token of the machine's identity."`
	Credentials string   `yaml:"credentials" default:"environment" enum:"environment|profile|web_identity|metadata" doc:"Where aws credentials are: AWS_* variables, a profile, the web identity of a pod, or the metadata service of the machine."`
	Region      string   `yaml:"region" doc:"Region of aws; with credentials environment the variable AWS_REGION may name it."`
	Profile     string   `yaml:"profile" doc:"Profile of aws credentials."`
	Scopes      []string `yaml:"scopes" default:"https://www.googleapis.com/auth/devstorage.read_only" doc:"Scopes of the token of gcp."`
	Identity    string   `yaml:"identity" doc:"Client id of the managed identity of azure, where the machine has several."`
}
