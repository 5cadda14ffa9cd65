package telemetry

// Config says what the sidecar tells of itself.
type Config struct {
	Log    LogConfig   `yaml:"log" doc:"The sidecar's own log, on standard error."`
	Traces TraceConfig `yaml:"traces" doc:"OpenTelemetry traces."`
}

// LogConfig shapes the log of operations, which is not the decision log.
type LogConfig struct {
	Level  string `yaml:"level" default:"info" enum:"debug|info|warn|error" doc:"Least severe level written."`
	Format string `yaml:"format" default:"text" enum:"text|json" doc:"Form of a line."`
}

// TraceConfig turns traces on.
type TraceConfig struct {
	Endpoint string  `yaml:"endpoint" doc:"OTLP/HTTP endpoint URL, such as http://127.0.0.1:4318. Empty turns traces off."`
	Ratio    float64 `yaml:"ratio" default:"1" doc:"Share of new traces sampled, 0 to 1. A sampled parent is followed."`
}
