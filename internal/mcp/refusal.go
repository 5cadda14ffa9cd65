package mcp

import (
	"errors"
	"net/http"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/authz-sidecar/sidecar/internal/authz"
)

// Codes of JSON-RPC 2.0 section 5.1, and of MCP 2026-07-28, Error Codes.
const (
	parseError         = -32700
	invalidRequest     = -32600
	headerMismatch     = -32020
	unsupportedVersion = -32022
)

// refusal makes an error of kind Malformed whose client gets a JSON-RPC error. text never quotes the message.
func refusal(status, code int, id jsontext.Value, text string) error {
	return &authz.Error{
		Kind: authz.Malformed, Status: status, Body: ErrorBody(id, code, text, nil),
		Err: errors.New("read MCP message: " + text),
	}
}

func unparsable(text string) error { return refusal(http.StatusBadRequest, parseError, nil, text) }

func invalid(id jsontext.Value, text string) error {
	return refusal(http.StatusBadRequest, invalidRequest, id, text)
}

func mismatch(id jsontext.Value, text string) error {
	return refusal(http.StatusBadRequest, headerMismatch, id, text)
}

type errorMessage struct {
	JSONRPC string         `json:"jsonrpc"`
	ID      jsontext.Value `json:"id,omitzero"`
	Error   errorObject    `json:"error"`
}

type errorObject struct {
	Code    int            `json:"code"`
	Message string         `json:"message"`
	Data    jsontext.Value `json:"data,omitzero"`
}

// ErrorBody is a JSON-RPC error: id is the JSON of the message's identifier, or nil when it is not known; data is
// JSON, or nil.
func ErrorBody(id jsontext.Value, code int, text string, data jsontext.Value) []byte {
	body, err := json.Marshal(errorMessage{"2.0", id, errorObject{code, text, data}})
	if err != nil { // text that is not UTF-8
		return []byte(`{"jsonrpc":"2.0","error":{"code":-32603,"message":"refused"}}`)
	}
	return body
}
