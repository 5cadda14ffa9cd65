// Package sidecarclient asks the authorization sidecar whether a request may pass, and guards net/http handlers with
// its decisions.
//
// Most programs need two calls: New, and Middleware around a handler. What the sidecar says is enforced: an allowed
// request gets the upstream headers of the decision in place of the client's own, a refused one is answered with the
// decision's status and headers. Whatever is not a whole, sound decision in time refuses the request: see Middleware.
//
// Package sidecarecho is the same for echo, and package sidecartest is a sidecar for tests. This package imports the
// standard library alone.
package sidecarclient
