package main

import (
	"fmt"
	"io"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/authz-sidecar/sidecar/internal/doctor"
	"github.com/authz-sidecar/sidecar/internal/introspect"
	"github.com/authz-sidecar/sidecar/internal/review"
	"github.com/authz-sidecar/sidecar/internal/secret"
)

// introspecting is what the flags of introspect say.
type introspecting struct {
	issuer, format string
	limit          threshold
}

// examined is what was found out about a token.
type examined struct {
	// issuer is the one that was asked; "" where none is the token's.
	issuer string
	// alone is set when no other issuer is configured.
	alone  bool
	answer introspect.Answer
	// local is set when the token was validated without a question.
	local bool
	// token is input.token as policies would see it, in JSON; nil unless it is good.
	token    jsontext.Value
	findings []doctor.Finding
}

// write prints e without the token, in the format of the flags.
func (how introspecting) write(e examined, tok secret.Text, w io.Writer) error {
	if how.format == "json" {
		return e.writeJSON(tok, w)
	}
	e.writeText(tok, w)
	printFindings(w, e.findings)
	if e.issuer != "" {
		fmt.Fprintln(w, summary(e.findings))
	}
	return nil
}

func (e examined) writeText(tok secret.Text, w io.Writer) {
	if e.issuer != "" && !e.alone {
		fmt.Fprintf(w, "issuer: %s\n", e.issuer)
	}
	if e.answer.Endpoint != "" {
		fmt.Fprintf(w, "endpoint: %s\n", e.answer.Endpoint)
	}
	if e.answer.Status != 0 {
		fmt.Fprintf(w, "status: %d\ncontent-type: %s\nanswer: %s\n", e.answer.Status,
			shown([]byte(e.answer.ContentType), tok), shown(e.answer.Body, tok))
	}
	if e.answer.Verified != nil {
		fmt.Fprintf(w, "signed: verified, it holds: %s\n", shown(e.answer.Verified, tok))
	}
	if e.local {
		fmt.Fprintf(w, "validated locally: the server was not asked\n")
	}
	if e.token != nil {
		fmt.Fprintf(w, "input.token: %s\n", shown(e.token, tok))
	}
}

// jsonExamined is examined as JSON. Members are added in later versions, and none changes its meaning.
type jsonExamined struct {
	Issuer   string `json:"issuer,omitzero"`
	Endpoint string `json:"endpoint,omitzero"`
	Status   int    `json:"status,omitzero"`
	// Answer is what the server sent: JSON as it is, anything else as a text. Verified is what a signed one holds.
	Answer   jsontext.Value        `json:"answer,omitzero"`
	Verified jsontext.Value        `json:"verified,omitzero"`
	Local    bool                  `json:"validated_locally"`
	Token    jsontext.Value        `json:"input_token,omitzero"`
	Findings []review.JSONExamined `json:"findings"`
	Faults   int                   `json:"faults"`
	Doubts   int                   `json:"doubts"`
}

func (e examined) writeJSON(tok secret.Text, w io.Writer) error {
	out := jsonExamined{Issuer: e.issuer, Endpoint: e.answer.Endpoint, Status: e.answer.Status, Local: e.local,
		Findings: review.Examined(e.findings), Faults: doctor.Count(e.findings, doctor.Fault),
		Doubts: doctor.Count(e.findings, doctor.Doubt)}
	if e.answer.Status != 0 {
		out.Answer = shownValue(e.answer.Body, tok)
	}
	if e.answer.Verified != nil {
		out.Verified = shownValue(e.answer.Verified, tok)
	}
	if e.token != nil {
		out.Token = shownValue(e.token, tok)
	}
	if err := json.MarshalWrite(w, out, jsontext.AllowDuplicateNames(true), jsontext.WithIndent("  ")); err != nil {
		return err
	}
	_, err := fmt.Fprintln(w)
	return err
}

// answerOf is the introspection response in a file: the file itself, or what introspect printed as JSON, whose answer
// is taken out of its signature where it had one.
func answerOf(file []byte) []byte {
	var printed struct {
		Answer   jsontext.Value  `json:"answer"`
		Verified jsontext.Value  `json:"verified"`
		Active   jsontext.Value  `json:"active"`
		Findings *jsontext.Value `json:"findings"`
	}
	err := json.Unmarshal(file, &printed, jsontext.AllowDuplicateNames(true))
	if err != nil || printed.Findings == nil || printed.Active != nil {
		return file
	}
	for _, v := range []jsontext.Value{printed.Verified, printed.Answer} {
		if v.Kind() == '{' {
			return v
		}
	}
	return file
}

// shownValue is an answer as a value of JSON, without the token.
func shownValue(body []byte, tok secret.Text) jsontext.Value {
	text := withoutToken(body, tok)
	if v := jsontext.Value(text); v.IsValid(jsontext.AllowDuplicateNames(true)) {
		return v
	}
	quoted, err := jsontext.AppendQuote(nil, text)
	if err != nil {
		return jsontext.Value(`""`) // text is valid UTF-8
	}
	return quoted
}
