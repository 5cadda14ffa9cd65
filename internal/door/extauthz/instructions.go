package extauthz

import (
	"bytes"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"google.golang.org/protobuf/types/known/structpb"

	"github.com/authz-sidecar/sidecar/internal/door/extauthz/answer"
	"github.com/authz-sidecar/sidecar/internal/httpuri"
)

// instructions are what a policy asks of Envoy by the member envoy of its context.
type instructions struct {
	// HeadersToRemove do not reach the upstream.
	HeadersToRemove []string `json:"headers_to_remove"`
	// QueryParametersToSet have one value each, which replaces those of the client.
	QueryParametersToSet    map[string]string `json:"query_parameters_to_set"`
	QueryParametersToRemove []string          `json:"query_parameters_to_remove"`
	// DynamicMetadata is handed to later filters and to the access log.
	DynamicMetadata map[string]any `json:"dynamic_metadata"`
}

// readInstructions reads the context of a decision: a JSON object, or nil. An error is the fault of the policy.
func readInstructions(context []byte) (instructions, error) {
	if !bytes.Contains(context, []byte(`"envoy"`)) { // mostly; what writes contexts escapes no letter
		return instructions{}, nil
	}
	return decodeInstructions(context)
}

func decodeInstructions(context []byte) (in instructions, err error) {
	var members struct {
		Envoy jsontext.Value `json:"envoy"`
	}
	err = json.Unmarshal(context, &members)
	if err == nil && members.Envoy != nil {
		err = json.Unmarshal(members.Envoy, &in, json.RejectUnknownMembers(true))
	}
	if err != nil {
		return instructions{}, fmt.Errorf("read context.envoy of the result: %w", err)
	}
	for _, name := range in.HeadersToRemove {
		if !httpuri.IsToken(name) || strings.EqualFold(name, "host") {
			return in, fmt.Errorf("read context.envoy.headers_to_remove of the result: %q cannot be removed", name)
		}
	}
	return in, nil
}

// metadata is the dynamic metadata of an answer: that of the policy, and the decision, for the access log of Envoy.
func (in instructions) metadata(decisionID string) (*structpb.Struct, error) {
	if len(in.DynamicMetadata) == 0 && utf8.ValidString(decisionID) {
		alone := map[string]*structpb.Value{"decision_id": structpb.NewStringValue(decisionID)}
		return &structpb.Struct{Fields: alone}, nil
	}
	all := map[string]any{"decision_id": decisionID}
	for name, value := range in.DynamicMetadata {
		all[name] = value
	}
	out, err := structpb.NewStruct(all)
	if err != nil {
		return nil, fmt.Errorf("read context.envoy.dynamic_metadata of the result: %w", err)
	}
	return out, nil
}

// setQuery are the parameters to set, encoded.
func (in instructions) setQuery() []answer.Parameter {
	var out []answer.Parameter
	for name, value := range in.QueryParametersToSet {
		out = append(out, answer.Parameter{Name: encoded(name), Value: encoded(value)})
	}
	return out
}

// removeQuery are the names to remove from a query, in each spelling that occurs there: Envoy compares them as they
// are written, and upstreams as they are decoded. A parameter that is set keeps one spelling, that of setQuery.
func (in instructions) removeQuery(path string) []string {
	var out []string
	_, query, _ := strings.Cut(path, "?")
	for pair := range strings.SplitSeq(query, "&") {
		raw, _, _ := strings.Cut(pair, "=")
		name, err := url.QueryUnescape(raw)
		if err != nil {
			continue
		}
		_, isSet := in.QueryParametersToSet[name]
		if isSet && raw != encoded(name) || slices.Contains(in.QueryParametersToRemove, name) {
			out = append(out, raw)
		}
	}
	return out
}

// encoded is a name or value of a query in an encoding that every upstream decodes alike.
func encoded(s string) string { return strings.ReplaceAll(url.QueryEscape(s), "+", "%20") }
