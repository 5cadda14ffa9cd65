package telemetry

import (
	"net/url"
)

// Config is the configuration of the log and of traces.
type Config struct {
	Log    LogConfig   `yaml:"log" doc:"The sidecar's own log, on standard error."`
	Traces TraceConfig `yaml:"traces" doc:"OpenTelemetry traces."`
}

// LogConfig shapes the log of operations, which is not the decision log.
type LogConfig struct {
	Level  string `yaml:"level" default:"info" enum:"debug|info|warn|error" doc:"Lowest level that is written."`
	Format string `yaml:"format" default:"text" enum:"text|json" doc:"Format of a line."`
}

// TraceConfig turns traces on.
type TraceConfig struct {
	Endpoint string  `yaml:"endpoint" doc:"OTLP/HTTP endpoint URL, such as http://127.0.0.1:4318. Empty turns traces off."`
	Ratio    float64 `yaml:"ratio" default:"1" max:"1" doc:"Share of new traces sampled, from 0 to 1. A sampled parent is followed."`
}

// Check reports an endpoint that traces cannot be sent to. The endpoint is not shown: it may hold a password.
func (c TraceConfig) Check(fault func(key, cause, hint string)) {
	if c.Endpoint == "" {
		return
	}
	u, err := url.Parse(c.Endpoint)
	switch {
	case err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "":
		fault("endpoint", "is not an absolute http or https URL", "write one such as http://127.0.0.1:4318")
	case u.User != nil:
		fault("endpoint", "the URL holds a user or a password", "remove what stands before the @")
	case u.RawQuery != "" || u.Fragment != "":
		fault("endpoint", "the URL has a query or a fragment", "remove what follows the path")
	}
}
