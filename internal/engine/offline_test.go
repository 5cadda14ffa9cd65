package engine

import (
	"errors"
	"testing"
	"time"
)

// varying is a policy whose answer depends on what the context names.
const varying = `
decision := {"allow": true, "context": {"at": time.now_ns()}} if input.context.read == "time"

else := {"allow": true, "context": {"n": rand.intn("n", 1000000)}} if input.context.read == "rand"

else := {"allow": true, "context": {"id": uuid.rfc4122("id")}} if input.context.read == "uuid"

else := {"allow": io.jwt.decode_verify(input.context.token, {"secret": "s"})[0]} if input.context.read == "token"

else := {"allow": true, "context": input.context} if input.context.read == "input"

else := {"allow": false}
`

// expiring is a token that expires an hour and a half after start, with the secret "s".
const expiring = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJleHAiOjE3OTUxNzQyMDB9." +
	"vzSNotH90R9S7IeorlThLSfhX1M5RvYiGehNdvJOHRw"

// TestAnOfflinePolicyAnswersAsThePolicyDoes asks each question with several times and seeds, so that an answer that is
// remembered for another question would show.
func TestAnOfflinePolicyAnswersAsThePolicyDoes(t *testing.T) {
	p := policy(t, patient, varying)
	offline := p.Offline()
	distinct := map[string]map[string]bool{}
	for _, context := range []string{`{"read":"time"}`, `{"read":"rand"}`, `{"read":"uuid"}`, `{"read":"input","n":1}`,
		`{"read":"input","n":1.0}`, `{"read":"input","n":"1"}`, `{"read":"token","token":"` + expiring + `"}`, `{}`} {
		distinct[context] = map[string]bool{}
		for i := range 6 {
			q := question(context)
			q.Time = start.Add(time.Duration(i/2) * time.Hour)
			q.Seed = []string{"a", "b"}[i%2]
			want, wantErr := p.Eval(t.Context(), q)
			got, gotErr := offline.Eval(t.Context(), q)
			if (wantErr == nil) != (gotErr == nil) {
				t.Fatalf("%s: %v, want %v", context, gotErr, wantErr)
			}
			a, _ := want.AppendJSON(nil)
			b, _ := got.AppendJSON(nil)
			if string(a) != string(b) {
				t.Errorf("%s: %s, want %s", context, b, a)
			}
			distinct[context][string(b)] = true
		}
	}
	for context, want := range map[string]int{`{"read":"time"}`: 3, `{"read":"rand"}`: 2, `{"read":"uuid"}`: 2,
		`{"read":"input","n":1}`: 1, `{"read":"token","token":"` + expiring + `"}`: 2} {
		if len(distinct[context]) != want {
			t.Errorf("%s: %d answers, want %d", context, len(distinct[context]), want)
		}
	}
	if n := offline.MemoUse().Entries; n != 4 {
		t.Errorf("%d answers are remembered, want those of three contexts and of the empty one", n)
	}
}

func TestAnOfflinePolicyDoesNotReadTheNetwork(t *testing.T) {
	cfg := patient
	cfg.AllowBuiltins = []string{"http.send"}
	p := policy(t, cfg, `
decision := {"allow": http.send({"method": "GET", "url": "http://127.0.0.1:1", "raise_error": false}).status_code == 0}
`).Offline()
	_, err := p.Eval(t.Context(), question(""))
	if outside, ok := errors.AsType[*OutsideError](err); !ok || outside.Builtin != "http.send" || !outside.Network {
		t.Errorf("error %v, want one of http.send", err)
	}
}
