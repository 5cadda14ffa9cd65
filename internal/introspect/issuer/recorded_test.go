package issuer_test

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"go.yaml.in/yaml/v3"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/conf"
	"github.com/authz-sidecar/sidecar/internal/introspect"
	"github.com/authz-sidecar/sidecar/internal/introspect/issuer"
	"github.com/authz-sidecar/sidecar/internal/secret"
	"github.com/authz-sidecar/sidecar/internal/testkit"
)

// The credentials of every replay. Neither may show in an error or a log.
const (
	recordedToken  = "4f1b-recorded-token-9c27"
	recordedSecret = "81d0-recorded-secret-33ea"
)

// recordedServers are the folders of testdata/recorded, with the number of answers in each.
var recordedServers = map[string]int{
	"django-oauth-toolkit-3.4.1":        19,
	"duende-identityserver-7.4.8":       114,
	"keycloak-26.7.3":                   191,
	"node-oidc-provider-9.13.3":         48,
	"openiddict-7.8.0":                  169,
	"ory-fosite-0.49.0":                 24,
	"spring-authorization-server-7.1.2": 39,
	"zitadel-oidc-3.51.17":              16,
}

// recordedExpectations is an expected.yaml. See testdata/recorded/README.md for both shapes.
type recordedExpectations struct {
	Dialect  string                         `yaml:"dialect"`
	Families map[string]recordedExpectation `yaml:"families"`
	Cases    map[string]recordedExpectation `yaml:"cases"`
}

type recordedExpectation struct {
	Outcome   string          `yaml:"outcome"`
	Kind      string          `yaml:"kind"`
	Issuer    string          `yaml:"issuer"`
	ID        string          `yaml:"id"`
	Subject   recordedSubject `yaml:"subject"`
	ClientID  string          `yaml:"client_id"`
	Scopes    []string        `yaml:"scopes"`
	Audiences []string        `yaml:"audiences"`
	Roles     []string        `yaml:"roles"`
	Groups    []string        `yaml:"groups"`
	Auth      recordedAuth    `yaml:"auth"`
	Actor     recordedActor   `yaml:"actor"`
	Binding   string          `yaml:"binding"`
	IssuedAt  authz.Time      `yaml:"issued_at"`
	NotBefore authz.Time      `yaml:"not_before"`
	ExpiresAt authz.Time      `yaml:"expires_at"`
	Usable    bool            `yaml:"usable"`
}

type recordedSubject struct {
	ID       string `yaml:"id"`
	Type     string `yaml:"type"`
	Username string `yaml:"username"`
}

type recordedAuth struct {
	ACR  string     `yaml:"acr"`
	AMR  []string   `yaml:"amr"`
	Time authz.Time `yaml:"time"`
}

type recordedActor struct {
	Subject  string `yaml:"subject"`
	ClientID string `yaml:"client_id"`
}

// recordedAnswer is a <case>.json.
type recordedAnswer struct {
	Request struct {
		Method string `json:"method"`
		Accept string `json:"accept"`
		Hint   string `json:"hint"`
	} `json:"request"`
	Status  int               `json:"status"`
	Headers map[string]string `json:"headers"`
	Body    jsontext.Value    `json:"body"`
	Note    string            `json:"note"`
}

// bytes is the body as it goes over the wire: text if it was recorded as text, else JSON.
func (a recordedAnswer) bytes(t *testing.T) []byte {
	t.Helper()
	if a.Body.Kind() != '"' {
		return a.Body
	}
	var text string
	if err := json.Unmarshal(a.Body, &text); err != nil {
		t.Fatal(err)
	}
	return []byte(text)
}

// TestRecordedAnswers replays what eight real servers said through the whole client, and compares outcome and facts
// with what was written down by hand: INT-6 to INT-9, INT-8b, INT-14, INT-20.
func TestRecordedAnswers(t *testing.T) {
	t.Parallel()
	if got := recordedFolders(t); !slices.Equal(got, slices.Sorted(maps.Keys(recordedServers))) {
		t.Fatalf("testdata/recorded holds %q", got)
	}
	for server, count := range recordedServers {
		t.Run(server, func(t *testing.T) {
			answers, want := loadRecorded(t, server)
			if len(answers) != count {
				t.Errorf("%d recorded answers, want %d", len(answers), count)
			}
			for _, name := range slices.Sorted(maps.Keys(answers)) {
				if _, ok := want.Cases[name]; !ok {
					t.Errorf("%s: nothing is expected of this answer", name)
				}
			}
			for _, name := range slices.Sorted(maps.Keys(want.Cases)) {
				t.Run(name, func(t *testing.T) {
					answer, ok := answers[name]
					if !ok {
						t.Fatal("no such answer was recorded")
					}
					checkRecorded(t, want.Dialect, answer, want.Cases[name])
				})
			}
		})
	}
}

// TestRecordedExpectationsRefuseWhatTheyDoNotKnow keeps a misspelt key from making a case expect less than it says.
func TestRecordedExpectationsRefuseWhatTheyDoNotKnow(t *testing.T) {
	for _, text := range []string{
		"cases: {a: {outcome: inactive, scpoes: [b]}}",
		"cases: {a: {outcome: inactive}, a: {outcome: active}}",
		"cases: {a: {outcome: active, subject: {name: b}}}",
		"case: {}",
	} {
		if got, err := parseRecorded(strings.NewReader(text)); err == nil {
			t.Errorf("parse %q: got %+v, want an error", text, got)
		}
	}
}

func recordedFolders(t *testing.T) []string {
	t.Helper()
	entries, err := os.ReadDir("testdata/recorded")
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		if e.IsDir() {
			names = append(names, e.Name())
		}
	}
	return names
}

func loadRecorded(t *testing.T, server string) (map[string]recordedAnswer, recordedExpectations) {
	t.Helper()
	dir := filepath.Join("testdata", "recorded", server)
	files, err := filepath.Glob(filepath.Join(dir, "*.json"))
	if err != nil {
		t.Fatal(err)
	}
	answers := make(map[string]recordedAnswer, len(files))
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var a recordedAnswer
		if err := json.Unmarshal(text, &a, json.RejectUnknownMembers(true)); err != nil {
			t.Fatalf("parse %s: %v", file, err)
		}
		answers[strings.TrimSuffix(filepath.Base(file), ".json")] = a
	}
	f, err := os.Open(filepath.Join(dir, "expected.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	want, err := parseRecorded(f)
	if err != nil {
		t.Fatalf("parse %s: %v", f.Name(), err)
	}
	return answers, want
}

func parseRecorded(r io.Reader) (recordedExpectations, error) {
	var e recordedExpectations
	dec := yaml.NewDecoder(r)
	dec.KnownFields(true)
	err := dec.Decode(&e)
	return e, err
}

func checkRecorded(t *testing.T, dialect string, answer recordedAnswer, want recordedExpectation) {
	t.Helper()
	body := answer.bytes(t)
	srv := httptest.NewServer(replayRecorded(t, answer, body))
	defer srv.Close()
	var log bytes.Buffer
	seen := testkit.NewRegistry()
	iss, err := issuer.New(recordedConfig(t, srv.URL, dialect), issuer.Deps{
		Fingerprints: secret.NewFingerprinter(),
		Metrics:      seen,
		Log:          slog.New(slog.NewJSONHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug})),
	})
	if err != nil {
		t.Fatal(err)
	}
	defer iss.Close()

	claims, err := iss.Introspect(t.Context(), introspect.Question{Token: secret.New(recordedToken)})
	got := factsFound(claims, err)
	if a, b := canonicalFacts(got), canonicalFacts(want); !reflect.DeepEqual(a, b) {
		t.Errorf("note: %s\n got %+v\nwant %+v\nerror: %v", answer.Note, a, b, err)
	}
	const asked = "sidecar_introspect_call_duration_seconds"
	if got := seen.Nonzero(t, asked); len(got) != 1 || !strings.HasSuffix(got[0], `outcome="`+want.Outcome+`"} 1`) {
		t.Errorf("counted %q, want one %s", got, want.Outcome)
	}
	if err == nil {
		checkRecordedLife(t, claims, body)
	}
	for _, printed := range []string{log.String(), fmt.Sprintf("%v %+v", err, err)} {
		for _, hidden := range []string{recordedToken, recordedSecret, "eyJ"} {
			if strings.Contains(printed, hidden) {
				t.Errorf("%q shows in %s", hidden, printed)
			}
		}
	}
}

// replayRecorded is the recorded server: it gives each question the same answer.
func replayRecorded(t *testing.T, answer recordedAnswer, body []byte) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodPost {
			t.Errorf("%s %s was asked", r.Method, r.URL.Path)
		}
		if answer.Status == 0 {
			panic(http.ErrAbortHandler)
		}
		w.Header()["Content-Type"] = nil // absent when it was absent
		for name, value := range answer.Headers {
			w.Header().Set(name, value)
		}
		w.WriteHeader(answer.Status)
		_, _ = w.Write(body)
	})
}

func recordedConfig(t *testing.T, base, name string) issuer.Config {
	t.Helper()
	file := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(file, []byte(recordedSecret), 0o600); err != nil {
		t.Fatal(err)
	}
	c := conf.Default[issuer.Config]()
	c.Protection.Retries = 0
	c.Endpoint.Name, c.Endpoint.IntrospectionEndpoint, c.Endpoint.AllowInsecureHTTP = "recorded", base+"/introspect",
		true
	c.Endpoint.Client.ID, c.Endpoint.Client.Secret, c.Endpoint.Timeout = "orders-api", secret.Source{File: file},
		10*time.Second
	c.Dialect.Dialect = name
	return c
}

// factsFound is what the client made of an answer, in the words of the expectations.
func factsFound(c *authz.Claims, err error) recordedExpectation {
	if err != nil {
		if e := (*authz.Error)(nil); !errors.As(err, &e) || c != nil {
			return recordedExpectation{Outcome: fmt.Sprintf("%T beside claims %v", err, c != nil)}
		}
		return recordedExpectation{Outcome: authz.KindOf(err).String()}
	}
	if !c.Active {
		return recordedExpectation{Outcome: "inactive"}
	}
	e := recordedExpectation{
		Outcome: "active", Kind: string(c.Kind), Issuer: c.Issuer, ID: c.ID, ClientID: c.ClientID,
		Subject: recordedSubject{c.Subject.ID, string(c.Subject.Type), c.Subject.Username},
		Scopes:  c.Scopes, Audiences: c.Audiences, Roles: c.Roles, Groups: c.Groups,
		Auth: recordedAuth{c.Auth.ACR, c.Auth.AMR, c.Auth.Time}, Binding: recordedBinding(c.Confirmation),
		IssuedAt: c.IssuedAt, NotBefore: c.NotBefore, ExpiresAt: c.ExpiresAt,
	}
	if c.Actor != nil {
		e.Actor = recordedActor{c.Actor.Subject, c.Actor.ClientID}
	}
	now := cmp.Or(c.IssuedAt, c.ExpiresAt-60)
	e.Usable = c.Usable(time.Unix(int64(now), 0)).OK()
	return e
}

func recordedBinding(c authz.Confirmation) string {
	var parts []string
	for _, p := range [][2]string{{"dpop", c.JKT}, {"mtls", c.X5T}, {"unknown", c.Unknown}} {
		if p[1] != "" {
			parts = append(parts, p[0]+" "+p[1])
		}
	}
	return cmp.Or(strings.Join(parts, ", "), "none")
}

// canonicalFacts makes empty lists and absent ones equal, except for audiences: there a policy can tell the two apart.
func canonicalFacts(e recordedExpectation) recordedExpectation {
	for _, list := range []*[]string{&e.Scopes, &e.Roles, &e.Groups, &e.Auth.AMR} {
		if len(*list) == 0 {
			*list = nil
		}
	}
	return e
}

// checkRecordedLife holds what is true of every answer: an inactive token is never usable and carries no facts, an
// active one keeps the answer as it came, was asked for by no configured rule, and is dead from its exp on (INT-10).
func checkRecordedLife(t *testing.T, c *authz.Claims, body []byte) {
	t.Helper()
	if !c.Active {
		if c.Usable(time.Unix(0, 0)).OK() {
			t.Error("an inactive token is usable")
		}
		if c.Raw != nil || c.Subject.ID != "" || c.ClientID != "" || c.Scopes != nil {
			t.Errorf("an inactive token has facts: %s", c.Raw)
		}
		return
	}
	if c.Tenant != "" || c.Permissions != nil || c.AuthorizationDetails != nil || c.Auth.HasLevel {
		t.Errorf("facts from nowhere: %q %q %s %v", c.Tenant, c.Permissions, c.AuthorizationDetails, c.Auth)
	}
	if c.ExpiresAt != 0 && c.Usable(time.Unix(int64(c.ExpiresAt), 0)).OK() {
		t.Error("the token is usable at its exp")
	}
	// Keycloak's member jwt is a whole access token: the one member that is not kept.
	sent := jsontext.Value(regexp.MustCompile(`"jwt":\s*"[^"]*"`).ReplaceAll(body, []byte(`"jwt":"[redacted]"`)))
	raw := jsontext.Value(slices.Clone(c.Raw))
	if err := errors.Join(raw.Canonicalize(), sent.Canonicalize()); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(raw, sent) {
		t.Errorf("the answer was kept as\n%s, not as\n%s", raw, sent)
	}
}
