package config

import (
	"fmt"
	"strings"
	"testing"
)

func TestUnknownKeyIsRefusedWithASuggestion(t *testing.T) {
	inDirectory(t)
	_, err := Parse("sidecar.yaml", []byte(oneIssuer+"listen:\n  api:\n    adress: 127.0.0.1:1\n"), nil)
	if err == nil ||
		err.Error() != "sidecar.yaml:6:5: listen.api.adress: unknown key\n  hint: did you mean \"address\"?" {
		t.Errorf("error is %v", err)
	}
}

func TestAKeyInTheWrongSectionNamesItsSection(t *testing.T) {
	inDirectory(t)
	_, err := Parse("sidecar.yaml", []byte(oneIssuer+"negative_ttl: 5s\n"), nil)
	if err == nil || err.Error() != "sidecar.yaml:4:1: negative_ttl: unknown key\n  hint: it belongs at "+
		"issuers[].cache.negative_ttl" {
		t.Errorf("error is %v", err)
	}
}

func TestAnUnknownKeyWithoutSimilarKeysListsTheKeys(t *testing.T) {
	inDirectory(t)
	_, err := Parse("sidecar.yaml", []byte(oneIssuer+"telemetry: {elephants: 1}\n"), nil)
	if err == nil || !strings.HasSuffix(err.Error(), "telemetry.elephants: unknown key\n  hint: the keys here are "+
		"log, traces") {
		t.Errorf("error is %v", err)
	}
}

func TestAllFaultsAreReportedAtOnceInTheOrderOfLines(t *testing.T) {
	inDirectory(t)
	wantFaults(t, faults(t, `decision:
  token: sometimes
listen:
  api: {address: 0.0.0.0:8181}
  api: {}
issuers:
  - issuer: https://login.acme.example
    timeout: 1ms
    cache:
      ttl: 5
      max_entries: many
      max_bytes: 1
    client: {id: api, secret: {file: client-secret}}
decision_log: on
telemetry:
  traces: {ratio: 2}
`, "SIDECAR_ENGINE_DEADLINE=1h", "SIDECAR_ENGINE_DEADLIN=1s"),
		`sidecar.yaml:2: decision.token: "sometimes" is not one of required, optional`,
		`sidecar.yaml:4: listen.api.address: "0.0.0.0:8181" is neither loopback nor a Unix socket: it needs tls or insecure: true`,
		`sidecar.yaml:5: listen.api: is given twice, first on line 4`,
		`sidecar.yaml:8: issuers[0].timeout: 1ms is below 10ms, the least allowed`,
		`sidecar.yaml:10: issuers[0].cache.ttl: "5" is not a duration`,
		`sidecar.yaml:11: issuers[0].cache.max_entries: is text, not a whole number`,
		`sidecar.yaml:12: issuers[0].cache.max_bytes: 1 is below 1048576, the least allowed`,
		`sidecar.yaml:14: decision_log: is text, not a mapping`,
		`sidecar.yaml:16: telemetry.traces.ratio: 2 is above 1, the most allowed`,
		`environment SIDECAR_ENGINE_DEADLIN: names no key of the configuration`,
		`environment SIDECAR_ENGINE_DEADLINE: 1h is above 30s, the most allowed`,
	)
}

func TestValueOfTheWrongTypeIsRefused(t *testing.T) {
	inDirectory(t)
	for name, c := range map[string]struct{ src, fault string }{
		"number for text": {"decision: {realm: 5}", "decision.realm: is a number, not text"},
		"truth for text":  {"decision: {realm: true}", "decision.realm: is true or false, not text"},
		"date for text":   {"decision: {realm: 2026-01-01}", "decision.realm: is a date, not text"},
		"list for text":   {"decision: {realm: [a]}", "decision.realm: is a list, not text"},
		"tag of its own": {"decision: {realm: !mine a}",
			"decision.realm: has a tag of its own, which begins with !, and tags are not read"},
		"nothing for text": {"decision: {realm: }", "decision.realm: has no value"},
		"text for truth":   {"decision_log: {stdout: yes}", "decision_log.stdout: is text, not true or false"},
		"quoted number":    {`decision_log: {queue: "5"}`, "decision_log.queue: is text, not a whole number"},
		"fraction":         {"decision_log: {queue: 1.5}", `decision_log.queue: "1.5" is not a whole number`},
		"number beyond 64 bits": {"decision_log: {queue: 99999999999999999999}",
			`decision_log.queue: "99999999999999999999" is not a whole number`},
		"hexadecimal":    {"decision_log: {queue: 0x10}", `decision_log.queue: "0x10" is not a whole number`},
		"negative count": {"input: {body_bytes: -1}", "input.body_bytes: -1 is below 0, the least allowed"},
		"count over the most": {"input: {body_bytes: 1048577}",
			"input.body_bytes: 1048577 is above 1048576, the most allowed"},
		"mapping for duration": {"shutdown_timeout: {}",
			`shutdown_timeout: is a mapping, not a duration, such as "5s"`},
		"duration in words": {"shutdown_timeout: five seconds",
			`shutdown_timeout: "five seconds" is not a duration`},
		"negative duration": {"policies: {poll: -5s}", "policies.poll: -5s is below 100ms, the least allowed"},
		"text for number": {"telemetry: {traces: {ratio: half}}",
			"telemetry.traces.ratio: is text, not a number"},
		"no number": {"telemetry: {traces: {ratio: .nan}}",
			`telemetry.traces.ratio: ".nan" is not a number`},
		"tagged truth": {"decision_log: {stdout: !!bool maybe}",
			`decision_log.stdout: "maybe" is not true or false`},
		"text for list":    {"policies: {paths: policies}", "policies.paths: is text, not a list"},
		"nothing for list": {"policies: {paths: }", "policies.paths: is nothing, not a list"},
		"number in list":   {"policies: {paths: [policies, 5]}", "policies.paths[1]: is a number, not text"},
		"empty item":       {`policies: {paths: [policies, ""]}`, "policies.paths[1]: holds an empty item"},
		"list for mapping": {"listen: []", "listen: is a list, not a mapping"},
		"number for label": {"decision_log: {labels: {zone: 1}}",
			"decision_log.labels.zone: is a number, not text"},
		"line break in text": {`decision: {realm: "a\nSet-Cookie: b"}`,
			"decision.realm: holds a control character, such as a line break"},
		"key that is a number": {"decision_log: {labels: {1: a}}",
			"decision_log.labels: holds a key that is not a name"},
		"key that is a mapping": {"? {a: b}\n: c", "holds a key that is not a name"},
		"very long value": {"decision: {token: " + strings.Repeat("x", 50) + "}",
			`decision.token: "` + strings.Repeat("x", 40) + `..." is not one of required, optional`},
		"second document":     {"---\n{}", "a second document begins here"},
		"merge key":           {"listen: {<<: {}}", "listen: merge keys are not read"},
		"alias inside itself": {"listen: &a {api: *a}", "is not YAML: values are nested more than 256 levels deep"},
	} {
		t.Run(name, func(t *testing.T) {
			got := faults(t, oneIssuer+c.src+"\n")
			wantFaults(t, got, "sidecar.yaml:4: "+c.fault)
		})
	}
}

func TestDurationWithoutAUnitSaysWhichUnitToWrite(t *testing.T) {
	_, err := Parse("sidecar.yaml", []byte("shutdown_timeout: 5"), nil)
	if err == nil || !strings.Contains(err.Error(), "sidecar.yaml:1:1: shutdown_timeout: \"5\" is not a duration\n  "+
		"hint: write a unit, such as \"5s\"") {
		t.Errorf("error is %v", err)
	}
}

func TestZeroIsADurationWhereNoTimeIsAllowed(t *testing.T) {
	inDirectory(t)
	if c := parse(t, oneIssuer+"    cache: {ttl: 0}\n"); c.Issuers[0].Cache.TTL != 0 {
		t.Errorf("ttl is %s", c.Issuers[0].Cache.TTL)
	}
}

func TestInvalidYAMLIsOneFault(t *testing.T) {
	inDirectory(t)
	got := faults(t, oneIssuer+"listen: {\n", "SIDECAR_NONE=1")
	if len(got) != 2 || !strings.HasPrefix(got[0], "sidecar.yaml:") || !strings.Contains(got[0], "is not YAML: ") ||
		!strings.HasPrefix(got[1], "environment SIDECAR_NONE") {
		t.Errorf("faults are %q", got)
	}
}

func TestSecondDocumentThatIsNotYAMLIsAFault(t *testing.T) {
	inDirectory(t)
	got := faults(t, oneIssuer+"---\n}\n")
	if len(got) != 1 || !strings.Contains(got[0], "is not YAML: ") {
		t.Errorf("faults are %q", got)
	}
}

func TestAnEmptyFileIsTheFirstFault(t *testing.T) {
	inDirectory(t)
	for _, src := range []string{"", "# nothing\n", "---\n", "{}"} {
		wantFaults(t, faults(t, src), "sidecar.yaml: the file is empty")
	}
}

func TestSectionWhoseKeysAreCommentedOutIsEmpty(t *testing.T) {
	inDirectory(t)
	if c := parse(t, oneIssuer+"listen:\n  api:\n    # address: x\n"); c.Listen.API.Address != "127.0.0.1:8181" {
		t.Errorf("address is %q", c.Listen.API.Address)
	}
}

func TestAnAliasIsReadAsItsAnchor(t *testing.T) {
	inDirectory(t)
	c := parse(t, oneIssuer+`listen:
  api: {limits: &limits {timeout: 3s, body_bytes: 2048}}
  admin: {limits: *limits}
decision: {realm: &realm acme}
decision_log: {labels: {owner: *realm}}
`)
	if l := c.Listen.Admin.Limits; l.Timeout.String() != "3s" || l.BodyBytes != 2048 {
		t.Errorf("limits are %+v", l)
	}
	if c.DecisionLog.Labels["owner"] != "acme" {
		t.Errorf("labels are %v", c.DecisionLog.Labels)
	}
}

func TestEmptyListReplacesTheDefault(t *testing.T) {
	inDirectory(t)
	if c := parse(t, oneIssuer+"input: {headers: []}\n"); len(c.Input.Headers) != 0 {
		t.Errorf("headers are %q", c.Input.Headers)
	}
}

func TestAFaultOfAnAbsentKeyIsAtItsNearestParent(t *testing.T) {
	inDirectory(t)
	wantFaults(t, faults(t, "issuers:\n  - issuer: https://login.acme.example\n    client:\n      secret: {file: "+
		"client-secret}\n"),
		"sidecar.yaml:3: issuers[0].client.id: is empty")
}

// Each list holds the one before twice, so that all values would be 2^60.
func TestAliasesOfAliasesAreReadQuickly(t *testing.T) {
	inDirectory(t)
	var b strings.Builder
	b.WriteString(oneIssuer + "policies: {paths: [&a0 x")
	for i := 1; i <= 60; i++ {
		fmt.Fprintf(&b, ", &a%d [*a%d, *a%d]", i, i-1, i-1)
	}
	b.WriteString("]}\n")
	got := faults(t, b.String())
	if len(got) == 0 || !strings.Contains(strings.Join(got, "\n"),
		"is not YAML: aliases stand for more than 100000 values") {
		t.Errorf("faults are %q", got)
	}
}
