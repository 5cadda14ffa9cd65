package config

import (
	"fmt"
	"strings"
	"testing"
)

func TestSecretWrittenInTheFileIsRefusedAndNotShown(t *testing.T) {
	inDirectory(t)
	head := "issuers:\n  - issuer: https://login.acme.example\n"
	for name, src := range map[string]string{
		"as text":                          "    client: {id: a, secret: hunter2}\n",
		"as a number":                      "    client: {id: a, secret: 7702}\n",
		"as a list":                        "    client: {id: a, secret: [hunter2]}\n",
		"without a blank after the colon":  "    client: {id: a, secret:hunter2}\n",
		"as a key":                         "    client: {id: a, secret: {hunter2}}\n",
		"under a key of its own":           "    client: {id: a, secret: {value: hunter2}}\n",
		"as an alias":                      "    client: {id: a, secret: *hunter2}\n",
		"as a tag":                         "    client: {id: a, secret: !hunter2 x}\n",
		"as the name of a variable":        "    client: {id: a, secret: {env: hunter2}}\n",
		"as the name of a file":            "    client: {id: a, secret: {file: hunter2}}\n",
		"as the client":                    "    client: hunter2\n",
		"as an unknown key":                "    client_secret: hunter2\n",
		"in the endpoint of traces":        "telemetry: {traces: {endpoint: http://me:hunter2@127.0.0.1:4318}}\n",
		"in the endpoint of introspection": "    introspection_endpoint: https://me:hunter2@login.acme.example/\n",
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Parse("sidecar.yaml", []byte(head+src), nil)
			if err == nil {
				t.Fatal("it was accepted")
			}
			for _, shown := range []string{err.Error(), fmt.Sprintf("%+v", err), fmt.Sprintf("%#v", err)} {
				if strings.Contains(shown, "hunter2") || strings.Contains(shown, "7702") {
					t.Errorf("it was shown:\n%s", shown)
				}
			}
		})
	}
}

func TestASecretWrittenInTheFileHasAHint(t *testing.T) {
	inDirectory(t)
	_, err := Parse("sidecar.yaml", []byte("issuers:\n  - issuer: https://login.acme.example\n    client: {id: a, "+
		"secret: hunter2}\n"), nil)
	want := "sidecar.yaml:3:21: issuers[0].client.secret: a secret is never written here\n" +
		"  hint: name where it is kept, {file: /run/secrets/client} or {env: CLIENT_SECRET}, and replace it now " +
		"that it was in the open"
	if err == nil || err.Error() != want {
		t.Errorf("error is\n%v\nwant\n%s", err, want)
	}
}

func TestSecretGivenInAnOverrideIsRefusedAndNotShown(t *testing.T) {
	inDirectory(t)
	_, err := Parse("sidecar.yaml", []byte(oneIssuer), []string{"SIDECAR_ISSUERS_0_CLIENT_SECRET=hunter2"})
	want := "environment SIDECAR_ISSUERS_0_CLIENT_SECRET: a secret is never given here\n" +
		"  hint: name where it is kept, with SIDECAR_ISSUERS_0_CLIENT_SECRET_FILE or " +
		"SIDECAR_ISSUERS_0_CLIENT_SECRET_ENV"
	if err == nil || err.Error() != want {
		t.Errorf("error is\n%v\nwant\n%s", err, want)
	}
}

func TestASecretInAnUnsetVariableIsAFault(t *testing.T) {
	inDirectory(t)
	src := "issuers:\n  - issuer: https://login.acme.example\n    client: {id: a, secret: {env: API_SECRET}}\n"
	parse(t, src, "API_SECRET=x")
	for _, environ := range [][]string{nil, {"API_SECRET="}, {"API_SECRET_2=x"}} {
		wantFaults(t, faults(t, src, environ...),
			"sidecar.yaml:3: issuers[0].client.secret.env: read secret: the environment variable that it names is "+
				"not set, or empty")
	}
}

func TestSecretMayBeInAVariableThatLooksLikeAnOverride(t *testing.T) {
	inDirectory(t)
	parse(t, "issuers:\n  - issuer: https://login.acme.example\n    client: {id: a, secret: {env: "+
		"SIDECAR_CLIENT_SECRET}}\n", "SIDECAR_CLIENT_SECRET=x")
}

func TestSecretFromAFileAndAVariableIsRefused(t *testing.T) {
	inDirectory(t)
	got := faults(t, "issuers:\n  - issuer: https://login.acme.example\n    client: {id: a, secret: {env: A, file: "+
		"client-secret}}\n", "A=x")
	if len(got) != 1 || !strings.HasPrefix(got[0], "sidecar.yaml:3: issuers[0].client.secret: names both a file and "+
		"an environment variable") {
		t.Errorf("faults are %q", got)
	}
}
