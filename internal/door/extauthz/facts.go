package extauthz

import (
	"fmt"
	"maps"
	"slices"
	"strconv"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/authz-sidecar/sidecar/internal/jsonbound"
)

// besides is input.context of a check.
type besides struct {
	Envoy envoyFacts `json:"envoy"`
}

// envoyFacts is what Envoy says besides the request. What it did not say is left out.
type envoyFacts struct {
	// ContextExtensions are those of the route, from the configuration of Envoy.
	ContextExtensions map[string]string `json:"context_extensions,omitempty"`
	// Metadata is filter metadata of the request, by namespace, and RouteMetadata that of its route.
	Metadata      map[string]any `json:"metadata,omitempty"`
	RouteMetadata map[string]any `json:"route_metadata,omitempty"`
	// Principal is the identity of the peer's certificate: a URI SAN such as a SPIFFE ID, a DNS SAN, or the subject.
	Principal   string       `json:"principal,omitempty"`
	SNI         string       `json:"sni,omitempty"`
	Destination *destination `json:"destination,omitempty"`
	Protocol    string       `json:"protocol,omitempty"`
	RequestID   string       `json:"request_id,omitempty"`
}

// destination is where the client's connection ends.
type destination struct {
	Address   string `json:"address,omitempty"`
	Port      uint32 `json:"port,omitzero"`
	Principal string `json:"principal,omitempty"`
}

// maxFactsBytes is far more than the metadata of a request has: of a token's claims, for example.
const maxFactsBytes = 256 << 10

// facts returns the context of a check: a JSON object. An error means that Envoy was told to send more than a policy
// should read.
func facts(a *authv3.AttributeContext) ([]byte, error) {
	f := envoyFacts{
		ContextExtensions: a.GetContextExtensions(),
		Metadata:          filterMetadata(a.GetMetadataContext()),
		RouteMetadata:     filterMetadata(a.GetRouteMetadataContext()),
		Principal:         a.GetSource().GetPrincipal(),
		SNI:               a.GetTlsSession().GetSni(),
		Protocol:          a.GetRequest().GetHttp().GetProtocol(),
		RequestID:         a.GetRequest().GetHttp().GetId(),
	}
	if at := a.GetDestination(); at != nil {
		socket := at.GetAddress().GetSocketAddress()
		f.Destination = &destination{socket.GetAddress(), socket.GetPortValue(), at.GetPrincipal()}
	}
	if f.Metadata == nil && f.RouteMetadata == nil {
		out, err := f.appendPlain(make([]byte, 0, plainFactsBytes))
		if err == nil && len(out) <= maxFactsBytes {
			return out, nil
		}
	}
	out, err := json.Marshal(besides{f}, json.Deterministic(true))
	switch {
	case err != nil:
		return nil, fmt.Errorf("read metadata: %w", err)
	case len(out) > maxFactsBytes:
		return nil, fmt.Errorf("read metadata: it is over %d bytes as JSON", maxFactsBytes)
	}
	if fault := jsonbound.Check(out); fault != nil {
		return nil, fmt.Errorf("read metadata: a member %s", fault.Cause)
	}
	return out, nil
}

func filterMetadata(m *corev3.Metadata) map[string]any {
	if len(m.GetFilterMetadata()) == 0 {
		return nil
	}
	out := make(map[string]any, len(m.GetFilterMetadata()))
	for namespace, value := range m.GetFilterMetadata() {
		out[namespace] = value.AsMap()
	}
	return out
}

// plainFactsBytes is enough for most facts.
const plainFactsBytes = 256

// appendPlain appends what json.Marshal makes of besides{f}, for facts without metadata, which have no nested values.
func (f *envoyFacts) appendPlain(b []byte) ([]byte, error) {
	w := memberWriter{b: append(b, `{"envoy":{`...)}
	if len(f.ContextExtensions) > 0 {
		w.open("context_extensions")
		for _, name := range slices.Sorted(maps.Keys(f.ContextExtensions)) {
			w.name(name)
			w.quote(f.ContextExtensions[name])
		}
		w.close()
	}
	w.text("principal", f.Principal)
	w.text("sni", f.SNI)
	if d := f.Destination; d != nil && *d != (destination{}) {
		w.open("destination")
		w.text("address", d.Address)
		if d.Port != 0 {
			w.name("port")
			w.b = strconv.AppendUint(w.b, uint64(d.Port), 10)
		}
		w.text("principal", d.Principal)
		w.close()
	}
	w.text("protocol", f.Protocol)
	w.text("request_id", f.RequestID)
	return append(w.b, "}}"...), w.err
}

// memberWriter writes members of objects.
type memberWriter struct {
	b   []byte
	err error // of text that is no UTF-8
}

// name writes the name of the next member.
func (w *memberWriter) name(name string) {
	if w.b[len(w.b)-1] != '{' {
		w.b = append(w.b, ',')
	}
	w.quote(name)
	w.b = append(w.b, ':')
}

func (w *memberWriter) quote(s string) {
	var err error
	if w.b, err = jsontext.AppendQuote(w.b, s); err != nil {
		w.err = err
	}
}

// text writes a member, unless it is empty.
func (w *memberWriter) text(name, value string) {
	if value != "" {
		w.name(name)
		w.quote(value)
	}
}

func (w *memberWriter) open(name string) {
	w.name(name)
	w.b = append(w.b, '{')
}

func (w *memberWriter) close() { w.b = append(w.b, '}') }
