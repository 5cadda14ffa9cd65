// Package telemetry says how the sidecar is doing: its own log, its metrics and its traces.
//
// None of the three ever holds a token or a secret. None is handed to them; the log and the spans redact what looks
// like one all the same.
package telemetry
