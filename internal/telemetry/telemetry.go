// Package telemetry sets up the log, the page of metrics and the traces of the sidecar.
//
// None of the three ever holds a token or a secret. None is handed to them; the log and the spans redact what looks
// like one all the same.
package telemetry
