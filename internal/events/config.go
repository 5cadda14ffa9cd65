package events

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/authz-sidecar/sidecar/internal/httpuri"
	"github.com/authz-sidecar/sidecar/internal/jose"
	"github.com/authz-sidecar/sidecar/internal/secret"
)

// Config says how word arrives that tokens of one issuer are over. How the issuer is reached, whose certificate it has and
// who we are to it stands in the configuration of the issuer itself.
type Config struct {
	Issuer            string            `yaml:"issuer" doc:"Name of a configured issuer, whose tokens these events end. It must have an issuer identifier."`
	Sessions          string            `yaml:"sessions" default:"unknown" enum:"known|unknown" doc:"known when what the issuer tells of a token names its session (sid): an event about one session then leaves the others alone. unknown ends all tokens of the subject."`
	BackChannelLogout BackChannelLogout `yaml:"backchannel_logout" doc:"OpenID Connect Back-Channel Logout."`
	SharedSignals     SharedSignals     `yaml:"shared_signals" doc:"A stream of the Shared Signals Framework: CAEP and RISC events."`
	KeycloakAdmin     KeycloakAdmin     `yaml:"keycloak_admin" doc:"What Keycloak posts to the admin URL of a client."`
}

// BackChannelLogout bounds what passes as a logout token.
type BackChannelLogout struct {
	Audience             []string      `yaml:"audience" doc:"Clients whose logout tokens are taken: the accepted aud. Empty takes none."`
	Algorithms           []string      `yaml:"algorithms" default:"RS256" doc:"Accepted alg. Never none, never a shared secret."`
	DecryptionKey        secret.Source `yaml:"decryption_key" doc:"Private key, PEM or JWK, of logout tokens that are encrypted too. Without it those are refused."`
	EncryptionAlgorithms []string      `yaml:"encryption_algorithms" default:"RSA-OAEP-256,ECDH-ES" doc:"Accepted alg of the encryption."`
	EncryptionEncodings  []string      `yaml:"encryption_encodings" default:"A128CBC-HS256,A256GCM" doc:"Accepted enc of the encryption."`
}

// KeycloakAdmin is the client whose admin URL leads here.
type KeycloakAdmin struct {
	ClientID   string   `yaml:"client_id" doc:"Client whose admin URL is /v1/events/NAME/keycloak of the admin listener. Empty takes nothing."`
	Algorithms []string `yaml:"algorithms" default:"RS256" doc:"Accepted alg. Never none, never a shared secret."`
}

// SharedSignals is one stream of security events.
type SharedSignals struct {
	Delivery      string        `yaml:"delivery" default:"none" enum:"none|push|poll" doc:"How events come: the transmitter posts them (RFC 8935), or they are fetched (RFC 8936)."`
	Manage        string        `yaml:"manage" default:"create" enum:"off|create" doc:"create finds our stream at the transmitter or makes it, and has it verified; off leaves that to the operator."`
	Transmitter   string        `yaml:"transmitter" doc:"Identifier of the transmitter. Empty is the issuer."`
	Audience      []string      `yaml:"audience" doc:"Accepted aud, besides what the stream that was found or made has."`
	Algorithms    []string      `yaml:"algorithms" default:"RS256" doc:"Accepted alg. Never none, never a shared secret."`
	Events        []string      `yaml:"events" doc:"Types of events to ask for, as URIs. Empty asks for all that make a difference here."`
	Description   string        `yaml:"description" default:"sidecar" doc:"What our stream is called at the transmitter; it tells apart the streams of one client."`
	EndpointURL   string        `yaml:"endpoint_url" doc:"With push: where the transmitter reaches /v1/events/NAME/shared-signals of this admin listener."`
	Authorization secret.Source `yaml:"authorization" doc:"With push: the whole Authorization header that the transmitter sends."`
	PollURL       string        `yaml:"poll_url" doc:"With poll and manage off: where events are fetched."`
	AccessToken   secret.Source `yaml:"access_token" doc:"Bearer token for the transmitter. Empty gets one as the issuer's client, by the client_credentials grant."`
	Scope         []string      `yaml:"scope" default:"ssf.read,ssf.manage" doc:"Scopes of that grant."`
	PollWait      time.Duration `yaml:"poll_wait" default:"30s" min:"1s" max:"10m" doc:"Longest time one poll waits for events."`
	PollEvery     time.Duration `yaml:"poll_every" default:"1s" min:"100ms" max:"10m" doc:"Pause between polls of a transmitter that does not wait."`
	VerifyEvery   time.Duration `yaml:"verify_every" default:"1m" doc:"How often the transmitter is asked for a verification event. 0 never asks."`
	DownAfter     time.Duration `yaml:"down_after" default:"3m" min:"1s" doc:"Silence after which the stream counts as down."`
	DownTTL       time.Duration `yaml:"down_ttl" default:"5s" doc:"While the stream is down, answers about tokens are used no longer than this. 0 leaves them as they are."`
}

const (
	deliveryNone  = "none"
	deliveryPush  = "push"
	deliveryPoll  = "poll"
	manageOff     = "off"
	sessionsKnown = "known"
)

func (c SharedSignals) on() bool     { return c.Delivery != "" && c.Delivery != deliveryNone }
func (c SharedSignals) manage() bool { return c.Manage != manageOff }

// Check reports every fault of c. See introspect.Config.Check.
func (c Config) Check(fault func(key, cause, hint string)) {
	if c.Issuer == "" {
		fault("issuer", "is empty", "name an issuer of this configuration")
	}
	if c.Sessions != "" && c.Sessions != sessionsKnown && c.Sessions != "unknown" {
		fault("sessions", fmt.Sprintf("%q is unknown", c.Sessions), "use one of known, unknown")
	}
	if len(c.BackChannelLogout.Audience) == 0 && !c.SharedSignals.on() && c.KeycloakAdmin.ClientID == "" {
		fault("", "takes no events at all", "set backchannel_logout.audience, shared_signals.delivery or keycloak_admin.client_id")
	}
	checkAlgorithms("backchannel_logout.algorithms", c.BackChannelLogout.Algorithms, len(c.BackChannelLogout.Audience) > 0, fault)
	checkAlgorithms("keycloak_admin.algorithms", c.KeycloakAdmin.Algorithms, c.KeycloakAdmin.ClientID != "", fault)
	checkAlgorithms("shared_signals.algorithms", c.SharedSignals.Algorithms, c.SharedSignals.on(), fault)
	if c.SharedSignals.on() {
		c.SharedSignals.checkStream(func(key, cause, hint string) { fault("shared_signals."+key, cause, hint) })
	}
}

// checkAlgorithms keeps out everything that anybody could sign with (SET-4).
func checkAlgorithms(key string, algorithms []string, used bool, fault func(key, cause, hint string)) {
	known := jose.SignatureAlgorithms()
	if used && len(algorithms) == 0 {
		fault(key, "is empty, which accepts nothing", "name those that the server signs with, such as RS256")
	}
	for i, a := range algorithms {
		if !slices.Contains(known, a) {
			fault(fmt.Sprintf("%s[%d]", key, i), fmt.Sprintf("%q is no algorithm of public keys", a), "use one of "+strings.Join(known, ", "))
		}
	}
}

func (c SharedSignals) checkStream(fault func(key, cause, hint string)) {
	if c.Delivery != deliveryPush && c.Delivery != deliveryPoll {
		fault("delivery", fmt.Sprintf("%q is unknown", c.Delivery), "use one of none, push, poll")
		return
	}
	push := c.Delivery == deliveryPush
	switch {
	case push && c.Authorization.IsZero():
		fault("authorization", "names neither a file nor an environment variable", "the transmitter has to show who it is: keep a header such as \"Bearer ...\" in a file")
	case !push && !c.Authorization.IsZero():
		fault("authorization", "is only for push", "remove it")
	}
	if push && c.manage() {
		if cause := faultOfURL(c.EndpointURL); cause != "" {
			fault("endpoint_url", cause, "write the https URL at which the transmitter reaches this receiver")
		}
	}
	switch cause := faultOfURL(c.PollURL); {
	case push || c.manage():
		if c.PollURL != "" {
			fault("poll_url", "is only for poll with manage off", "remove it: the stream itself says where")
		}
	case c.PollURL == "":
		fault("poll_url", "is empty, and manage is off", "write the URL that the transmitter assigned to the stream")
	case cause != "":
		fault("poll_url", cause, "an access token is sent there: write an https URL")
	}
	if !c.manage() && len(c.Audience) == 0 {
		fault("audience", "is empty, and manage is off", "write the aud that the stream has at the transmitter")
	}
	if c.manage() && c.Description == "" {
		fault("description", "is empty", "our stream could not be told from others")
	}
	if c.VerifyEvery < 0 || c.VerifyEvery > 0 && c.VerifyEvery < time.Second {
		fault("verify_every", fmt.Sprintf("%s is not 0, and not 1s or more", c.VerifyEvery), "")
	}
	if push && c.manage() && c.VerifyEvery >= c.DownAfter {
		fault("down_after", fmt.Sprintf("%s is not longer than verify_every", c.DownAfter), "a stream would be down before it could show that it is up")
	}
	if !push && c.PollWait+c.PollEvery >= c.DownAfter {
		fault("down_after", fmt.Sprintf("%s is not longer than poll_wait and poll_every together", c.DownAfter), "a stream would be down before it could show that it is up")
	}
}

// faultOfURL is why neither security events nor an access token must be sent to a URL, or "".
func faultOfURL(raw string) string {
	u, err := url.Parse(raw)
	switch {
	case err != nil || u.Scheme == "" || u.Hostname() == "":
		return "is not an absolute URL"
	case u.Fragment != "":
		return "has a fragment"
	case u.Scheme == "https" || u.Scheme == "http" && httpuri.Loopback(u.Hostname()):
		return ""
	}
	return "is not https"
}
