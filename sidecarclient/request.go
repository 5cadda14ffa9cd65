package sidecarclient

import (
	"encoding/pem"
	"fmt"
	"net/http"
	"net/netip"
	"strings"
	"unicode/utf8"
)

// Request is the request that the sidecar is asked about.
type Request struct {
	// Method is that of the request, as it arrived.
	Method string
	// URL is the request target as it arrived, never decoded (/orders/42?expand=items), or an absolute http or https
	// URL. What is decoded first loses the defence against ambiguous paths.
	URL string
	// Headers are all headers, with all their values, and Host among them. The credential is read from Authorization.
	Headers http.Header
	// SourceIP is the address of the client, without a port; empty when it is not known.
	SourceIP string
	// ClientCertificate is what the client presented in TLS, in PEM; empty for none. The sidecar reads it when
	// proof.mtls.from is request.
	ClientCertificate string
	// Body is text that policies read when input.body_bytes is set; nil for none.
	Body []byte
	// Token is a Bearer token that is not in Headers; empty for none. Both at once are malformed.
	Token string
	// Context is handed to the policy as input.context: a value that json.Marshal makes an object; nil for none.
	Context any
}

// RequestFrom returns what the sidecar needs to know about a request that a server received: method, target, Host,
// headers and the client's address. It does not touch the body.
//
// The address is that of the connection. Behind a proxy, set SourceIP to what the proxy says, if it is to be trusted.
func RequestFrom(r *http.Request) Request {
	headers := make(http.Header, len(r.Header)+1)
	for name, values := range r.Header {
		headers[name] = texts(values)
	}
	if r.Host != "" {
		headers["Host"] = []string{text(r.Host)}
	}
	target := r.RequestURI
	if target == "" { // made by a program, and not by a server
		target = r.URL.String()
	}
	out := Request{Method: r.Method, URL: escapeInvalid(target), Headers: headers}
	if addr, err := netip.ParseAddrPort(r.RemoteAddr); err == nil {
		out.SourceIP = addr.Addr().Unmap().WithZone("").String()
	}
	return out
}

// ClientCertificate returns the certificate that the client of r presented in TLS, in PEM, or "".
func ClientCertificate(r *http.Request) string {
	if r.TLS == nil || len(r.TLS.PeerCertificates) == 0 {
		return ""
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: r.TLS.PeerCertificates[0].Raw}))
}

// texts is values as JSON can have them.
func texts(values []string) []string {
	out := make([]string, len(values))
	for i, v := range values {
		out[i] = text(v)
	}
	return out
}

// text returns s, or when s is not UTF-8, its bytes as characters of ISO 8859-1, which is what header values were
// before (RFC 9110 section 5.5). The replacement character of encoding/json would make different values equal.
func text(s string) string {
	if utf8.ValidString(s) {
		return s
	}
	var b strings.Builder
	for i := range len(s) {
		b.WriteRune(rune(s[i]))
	}
	return b.String()
}

// escapeInvalid percent-encodes what is not UTF-8 in a target, so that the sidecar sees the bytes and refuses them.
func escapeInvalid(target string) string {
	if utf8.ValidString(target) {
		return target
	}
	var b strings.Builder
	for i := range len(target) {
		if c := target[i]; c < utf8.RuneSelf {
			b.WriteByte(c)
		} else {
			fmt.Fprintf(&b, "%%%02X", c)
		}
	}
	return b.String()
}

// wireQuestion is the body of POST /v1/decisions.
type wireQuestion struct {
	Request wireRequest `json:"request"`
	Token   string      `json:"token,omitempty"`
	Context any         `json:"context,omitempty"`
}

type wireRequest struct {
	Method            string      `json:"method"`
	URL               string      `json:"url"`
	Headers           http.Header `json:"headers,omitempty"`
	SourceIP          string      `json:"source_ip,omitempty"`
	ClientCertificate string      `json:"client_certificate,omitempty"`
	Body              *string     `json:"body,omitempty"`
}

func (r Request) wire() wireQuestion {
	q := wireQuestion{Token: r.Token, Context: r.Context, Request: wireRequest{
		Method: r.Method, URL: r.URL, Headers: r.Headers, SourceIP: r.SourceIP, ClientCertificate: r.ClientCertificate,
	}}
	if r.Body != nil {
		body := text(string(r.Body))
		q.Request.Body = &body
	}
	return q
}
