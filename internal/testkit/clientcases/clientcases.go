// Package clientcases is one table of cases for the clients of every language: what an application that asks the
// sidecar must do with each request and each answer, against a real sidecar and the development authorization server,
// and against answers that are late, cut off or no decisions.
//
// An application is any program that is guarded by a client. What it gets and what it prints is at Settings and App.
package clientcases

import (
	"fmt"
	"testing"
	"time"
)

// Settings are what an application is started with.
type Settings struct {
	// SidecarURL is the base URL of the sidecar's api listener.
	SidecarURL string
	// Timeout is the time for one whole call of the sidecar.
	Timeout time.Duration
}

// Env is s as the environment of a program: SIDECAR_URL, SIDECAR_TIMEOUT in seconds, and PORT, which is 0: any free
// port of 127.0.0.1.
func (s Settings) Env() []string {
	return []string{"SIDECAR_URL=" + s.SidecarURL, fmt.Sprintf("SIDECAR_TIMEOUT=%g", s.Timeout.Seconds()), "PORT=0"}
}

// App is an application in one language or framework. It answers every request that was allowed with 200 and JSON:
//
//	{"target": the raw request target as it arrived,
//	 "path": the decoded path by which it finds what to serve; may be left out,
//	 "headers": {lower-case name: [values]} as the application sees them behind the client,
//	 "context": that of the decision}
//
// A request that is not allowed is answered by the client, and not by the application.
type App struct {
	// Name is that of the column.
	Name string
	// Start runs the application until the end of t and returns its address, as host:port.
	Start func(t *testing.T, s Settings) string
}

// aCase is a row of the table.
type aCase struct {
	name string
	run  func(t *testing.T, d *driver)
}

// cases are the rows. Their order is that of the table.
func cases() []aCase {
	return []aCase{
		{"allow", allowed},
		{"allow: what the sidecar is asked", asked},
		{"allow: upstream headers replace the client's, in any spelling", replaced},
		{"allow: an empty upstream header replaces the client's too", emptied},
		{"headers beyond ASCII", beyondASCII},
		{"allow: headers for the client (DPoP-Nonce)", nonce},
		{"deny: status, challenge and headers", denied},
		{"deny: a body that is not read", refusedBody},
		{"deny: 401 without a token", unauthenticated},
		{"deny: two credentials", twoCredentials},
		{"deny: the authorization server is unavailable", unavailable},
		{"ambiguous path: %3F", encodedQuestionMark},
		{"ambiguous path: %2F, //, .., ;", ambiguousPaths},
		{"ambiguous path: absolute form", absoluteForm},
		{"absolute form: another host", twoHosts},
		{"headers that servers take for the path", pathHeaders},
		{"bytes that are not UTF-8", notUTF8},
		{"obligation that is not known", unknownObligation},
		{"outage: nothing listens", outage},
		{"timeout: no answer", noAnswer},
		{"timeout: an answer that trickles", trickle},
		{"answer that is cut off", cutOff},
		{"answer that is no JSON", noJSON},
		{"answer that is no decision", noDecision},
		{"answer that contradicts itself", contradiction},
		{"answer that is too long", tooLong},
		{"answer that is nested too deep", tooDeep},
		{"redirect", redirect},
		{"sidecar fails: 5xx and 429", serverErrors},
		{"call that is wrong: 4xx", callErrors},
		{"keep-alive: one connection for many calls", keepAlive},
		{"keep-alive: connections that the sidecar closed", closedWhileIdle},
		{"keep-alive: no answer to another question", ownAnswers},
		{"forty requests at once", atOnce},
		{"headers that are called as properties are", properties},
		{"upstream headers that servers keep elsewhere", ownPlaces},
		{"pipelined requests", pipelined},
		{"chunked request", chunked},
	}
}
