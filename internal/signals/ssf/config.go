package ssf

import (
	"fmt"
	"net/url"
	"time"

	"github.com/authz-sidecar/sidecar/internal/httpuri"
	"github.com/authz-sidecar/sidecar/internal/secret"
	"github.com/authz-sidecar/sidecar/internal/signals"
)

// Config is one stream of security events.
type Config struct {
	Delivery      string        `yaml:"delivery" default:"none" enum:"none|push|poll" doc:"Delivery of events: the transmitter posts them (RFC 8935), or they are polled (RFC 8936)."`
	Manage        string        `yaml:"manage" default:"create" enum:"off|create" doc:"create finds or creates the sidecar's stream at the transmitter, and has it verified; off leaves that to the operator."`
	Transmitter   string        `yaml:"transmitter" doc:"Identifier of the transmitter. Empty is the issuer."`
	Audience      []string      `yaml:"audience" doc:"Accepted aud, besides what the stream that was found or made has."`
	Algorithms    []string      `yaml:"algorithms" default:"RS256" doc:"Accepted alg. Never none, never a shared secret."`
	Events        []string      `yaml:"events" doc:"Event types to request, as URIs. Empty requests all that the sidecar acts on."`
	Description   string        `yaml:"description" default:"sidecar" doc:"Description of the stream at the transmitter; it distinguishes the streams of one client."`
	EndpointURL   string        `yaml:"endpoint_url" doc:"With push: where the transmitter reaches /v1/events/NAME/shared-signals of this admin listener."`
	Authorization secret.Source `yaml:"authorization" doc:"With push: the whole Authorization header that the transmitter sends."`
	PollURL       string        `yaml:"poll_url" doc:"With poll and manage off: where events are fetched."`
	AccessToken   secret.Source `yaml:"access_token" doc:"Bearer token for the transmitter. Empty gets one as the issuer's client, by the client_credentials grant."`
	Scope         []string      `yaml:"scope" default:"ssf.read,ssf.manage" doc:"Scopes of that grant."`
	PollWait      time.Duration `yaml:"poll_wait" default:"30s" min:"1s" max:"10m" doc:"Longest time one poll waits for events."`
	PollEvery     time.Duration `yaml:"poll_every" default:"1s" min:"100ms" max:"10m" doc:"Pause between polls of a transmitter that does not wait."`
	VerifyEvery   time.Duration `yaml:"verify_every" default:"1m" doc:"How often the transmitter is asked for a verification event. 0 never asks."`
	DownAfter     time.Duration `yaml:"down_after" default:"3m" min:"1s" doc:"Silence after which the stream counts as down."`
	DownTTL       time.Duration `yaml:"down_ttl" default:"5s" doc:"Longest lifetime of cached answers while the stream is down. 0 changes no lifetime."`
}

const (
	deliveryNone = "none"
	deliveryPush = "push"
	deliveryPoll = "poll"
	manageOff    = "off"
)

// On reports whether there is a stream at all.
func (c Config) On() bool { return c.Delivery != "" && c.Delivery != deliveryNone }

// managed reports whether the sidecar creates the stream.
func (c Config) managed() bool { return c.Manage != manageOff }

// NeedsGrant reports whether access tokens are got by the client_credentials grant.
func (c Config) NeedsGrant() bool {
	return c.AccessToken.IsZero() && (c.managed() || c.Delivery == deliveryPoll)
}

// Words are the words of keys whose values are listed elsewhere.
func (c Config) Words(key string) []string { return signals.AlgorithmWords(key) }

// Check reports the problems that span keys.
func (c Config) Check(fault func(key, cause, hint string)) {
	push := c.Delivery == deliveryPush
	if !push && c.Delivery != deliveryPoll {
		return
	}
	signals.CheckAlgorithms(c.Algorithms, fault)
	switch {
	case push && c.Authorization.IsZero():
		fault("authorization", "names neither a file nor an environment variable",
			"the transmitter has to show who it is: keep a header such as \"Bearer ...\" in a file")
	case !push && !c.Authorization.IsZero():
		fault("authorization", "is only for push", "remove it")
	}
	c.checkURLs(fault)
	if !c.managed() && len(c.Audience) == 0 {
		fault("audience", "is empty, and manage is off", "write the aud that the stream has at the transmitter")
	}
	if c.managed() && c.Description == "" {
		fault("description", "is empty", "the stream could not be told from others")
	}
	if c.VerifyEvery > 0 && c.VerifyEvery < time.Second {
		fault("verify_every", fmt.Sprintf("%s is not 0, and not 1s or more", c.VerifyEvery), "")
	}
	const hint = "a stream would be down before it could show that it is up"
	if push && c.managed() && c.VerifyEvery >= c.DownAfter {
		fault("down_after", fmt.Sprintf("%s is not longer than verify_every", c.DownAfter), hint)
	}
	if !push && c.PollWait+c.PollEvery >= c.DownAfter {
		fault("down_after", fmt.Sprintf("%s is not longer than poll_wait and poll_every together", c.DownAfter), hint)
	}
}

func (c Config) checkURLs(fault func(key, cause, hint string)) {
	push := c.Delivery == deliveryPush
	if push && c.managed() {
		if cause := urlProblem(c.EndpointURL); cause != "" {
			fault("endpoint_url", cause, "write the https URL at which the transmitter reaches this receiver")
		}
	}
	switch cause := urlProblem(c.PollURL); {
	case push || c.managed():
		if c.PollURL != "" {
			fault("poll_url", "is only for poll with manage off", "remove it: the stream itself says where")
		}
	case c.PollURL == "":
		fault("poll_url", "is empty, and manage is off", "write the URL that the transmitter assigned to the stream")
	case cause != "":
		fault("poll_url", cause, "an access token is sent there: write an https URL")
	}
}

// urlProblem returns why security events and access tokens must not be sent to a URL, or "".
func urlProblem(raw string) string {
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
