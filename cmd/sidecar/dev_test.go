package main

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/authz-sidecar/sidecar/internal/testkit"
)

// startDev runs "sidecar dev" in dir on free ports until the test ends, and returns what it printed once it was ready.
// Its timeouts are longer than the defaults, for a machine with other work.
func startDev(t *testing.T, dir string, args ...string) (tour string, stderr *testkit.LogBuffer, stop func() int) {
	t.Helper()
	t.Chdir(dir)
	t.Setenv("SIDECAR_ISSUERS_0_TIMEOUT", "20s")
	ctx, cancel := context.WithCancel(context.Background())
	out, errs, exit := &testkit.LogBuffer{}, &testkit.LogBuffer{}, make(chan int, 1)
	go func() {
		dev := []string{"dev", "--api", "127.0.0.1:0", "--admin", "127.0.0.1:0", "--issuer", "127.0.0.1:0"}
		exit <- run(ctx, append(dev, args...), streams{in: strings.NewReader(""), out: out, err: errs})
	}()
	stop = sync.OnceValue(func() int { cancel(); return <-exit })
	t.Cleanup(func() { stop() })
	testkit.Eventually(t, "dev is ready", func() bool {
		select {
		case code := <-exit:
			exit <- code
			t.Fatalf("dev ended with %d: %s", code, errs)
		default:
		}
		return out.Has("# a configuration of your own") && errs.Has("serving")
	})
	return out.String(), errs, stop
}

// pasted runs the line below a comment that begins with words.
func pasted(t *testing.T, tour, words string) string {
	t.Helper()
	_, after, ok := strings.Cut(tour, "# "+words)
	if !ok {
		t.Fatalf("nothing is printed about %q:\n%s", words, tour)
	}
	line := strings.Split(after, "\n")[1]
	out, err := exec.Command("sh", "-c", line).Output()
	if err != nil {
		t.Fatalf("%s: %v", line, err)
	}
	return string(out)
}

func repository(t *testing.T) string {
	t.Helper()
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	return root
}

func TestEveryLineThatDevPrintsWorksWhenPasted(t *testing.T) {
	tour, _, _ := startDev(t, repository(t))
	everyLineWorks(t, tour)
}

func TestDevNeedsNothingButTheBinary(t *testing.T) {
	dir := t.TempDir()
	tour, _, _ := startDev(t, dir)
	if !strings.Contains(tour, "inside the binary; to change them, stop and run: sidecar dev --write DIRECTORY") {
		t.Errorf("it does not say where the policies are:\n%s", tour)
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) > 0 {
		t.Errorf("written: %v, %v", entries, err)
	}
	everyLineWorks(t, tour)
	pasted(t, tour, "a configuration of your own")
	if code, out, errs := sidecar(t, "", "check", "--config", "my-api/sidecar.yaml", "--online"); code != exitOK ||
		!strings.Contains(out, "no faults, no doubts") {
		t.Errorf("check of what the printed init wrote: exit %d\n%s%s", code, out, errs)
	}
}

func TestDevLaysTheExampleOutAndServesFromThere(t *testing.T) {
	dir := t.TempDir()
	kept := testkit.WriteFile(t, filepath.Join(dir, "orders", "policy_test", "orders_suite.yaml"), "mine\n")
	tour, _, _ := startDev(t, dir, "--write", "orders")
	for _, want := range []string{"wrote  orders/policies/authz/decision.rego",
		"kept   orders/policy_test/orders_suite.yaml",
		"orders/policies, orders/bundles/example  (edit, save, ask again)"} {
		if !strings.Contains(tour, want) {
			t.Errorf("%q is not printed:\n%s", want, tour)
		}
	}
	if got := testkit.ReadFile(t, kept); got != "mine\n" {
		t.Errorf("the file that was there holds %q", got)
	}
	everyLineWorks(t, tour)
	file := filepath.Join(dir, "orders", "policies", "routes", "data.yaml")
	testkit.WriteFile(t, file, strings.ReplaceAll(testkit.ReadFile(t, file), "orders:read", "orders:peek"))
	testkit.Eventually(t, "the edit decides",
		func() bool { return strings.Contains(pasted(t, tour, "allowed: "), "orders:peek") })
}

// everyLineWorks pastes each request of the tour.
func everyLineWorks(t *testing.T, tour string) {
	t.Helper()
	for words, want := range map[string][]string{
		"allowed: ":               {`"allow":true`, `"status":200`},
		"allowed without a token": {`"allow":true`, `"status":200`},
		"denied for scope": {`"allow":false`, `"status":403`, `"code":"insufficient_scope"`,
			`scope=\"orders:write\"`},
		"denied for audience": {`"allow":false`, `"status":401`, `"code":"wrong_audience"`},
		"denied for tenant":   {`"allow":false`, `"status":403`, `"code":"wrong_tenant"`},
		"a token of your own": {`"access_token":`},
		"a token of a user":   {`"access_token":`},
	} {
		got := pasted(t, tour, words)
		for _, w := range want {
			if !strings.Contains(got, w) {
				t.Errorf("%s: got %s, want %s in it", words, got, w)
			}
		}
	}
	before, after, _ := strings.Cut(pasted(t, tour, "denied after revoking"), "}}")
	if !strings.Contains(before, `"allow":true`) || !strings.Contains(after, `"kind":"unauthenticated"`) {
		t.Errorf("before the revocation: %s, after: %s", before, after)
	}
}

func TestDevStopsAtOnce(t *testing.T) {
	_, _, stop := startDev(t, repository(t))
	begun := time.Now()
	if code := stop(); code != exitOK {
		t.Errorf("exit status %d", code)
	}
	if took := time.Since(begun); took >= 10*time.Second {
		t.Errorf("it took %s", took)
	}
}

func TestDevNamesAPortThatIsTakenAndWhatToDo(t *testing.T) {
	taken := testkit.Listen(t)
	t.Chdir(repository(t))
	for flag, hint := range map[string]string{"--api": "listen.api.address (flag --api)",
		"--admin": "listen.admin.address (flag --admin)", "--issuer": "--issuer"} {
		args := []string{"dev", "--api", "127.0.0.1:0", "--admin", "127.0.0.1:0", "--issuer", "127.0.0.1:0", flag,
			taken.Addr().String()}
		var errs testkit.LogBuffer
		if code := run(t.Context(), args,
			streams{in: strings.NewReader(""), out: &testkit.LogBuffer{}, err: &errs}); code != exitFailed {
			t.Errorf("%s: exit status %d", flag, code)
		}
		if got := errs.String(); !strings.Contains(got, taken.Addr().String()) || !strings.Contains(got, hint) {
			t.Errorf("%s: got %s", flag, got)
		}
	}
}

func TestDevRefusesAnEmptyDirectoryOfPolicies(t *testing.T) {
	t.Chdir(t.TempDir())
	if err := os.Mkdir("policies", 0o755); err != nil {
		t.Fatal(err)
	}
	if code, _, errs := sidecar(t, "", "dev", "--issuer", "127.0.0.1:0"); code != exitNotCompile ||
		!strings.Contains(errs, "policies: directory_error: the directory holds no *.rego") {
		t.Errorf("exit status %d: %s", code, errs)
	}
}

// TestAnEditDecidesAndAMistakeIsReported is the author's loop: save, ask, see; break, see the error, correct.
func TestAnEditDecidesAndAMistakeIsReported(t *testing.T) {
	dir := t.TempDir()
	if err := os.CopyFS(filepath.Join(dir, "policies"),
		os.DirFS(filepath.Join(repository(t), "policies"))); err != nil {
		t.Fatal(err)
	}
	tour, errs, _ := startDev(t, dir)
	file := filepath.Join(dir, "policies", "routes", "data.yaml")
	original := testkit.ReadFile(t, file)
	save := func(content string) {
		t.Helper()
		testkit.WriteFile(t, file, content)
	}
	save(strings.ReplaceAll(original, "orders:read", "orders:peek"))
	testkit.Eventually(t, "the edit decides",
		func() bool { return strings.Contains(pasted(t, tour, "allowed: "), "orders:peek") })
	save(original + "\n\tbroken: [\n")
	testkit.Eventually(t, "the mistake is reported", func() bool { return errs.Has("policies/routes/data.yaml:") })
	if got := pasted(t, tour, "allowed: "); !strings.Contains(got, "orders:peek") {
		t.Errorf("the last good policy does not decide: %s", got)
	}
	save(original)
	testkit.Eventually(t, "the correction decides",
		func() bool { return strings.Contains(pasted(t, tour, "allowed: "), `"allow":true`) })
}

func TestFlagsOfDevWinOverTheEnvironment(t *testing.T) {
	t.Setenv("SIDECAR_LISTEN_API_ADDRESS", "no address")
	if tour, _, _ := startDev(t, repository(t)); !strings.Contains(pasted(t, tour, "allowed: "), `"allow":true`) {
		t.Error("it does not serve")
	}
}

func TestDevSaysOfEachDecisionWhyItWasMade(t *testing.T) {
	tour, errs, _ := startDev(t, repository(t))
	for words, want := range map[string]string{
		"allowed":             "200 allow  GET /orders/42  client reader  ",
		"denied for scope":    "403 insufficient_scope: orders:write is needed  POST /orders  client reader  ",
		"denied for audience": "401 wrong_audience: ",
	} {
		pasted(t, tour, words)
		testkit.Eventually(t, words+" has a line", func() bool { return errs.Has("\n" + want) })
	}
	if strings.Contains(tour, "allow  GET") {
		t.Error("standard output has lines too")
	}
}

// explained runs the line of the tour that explains the last decision, with another id in place of it.
func explained(t *testing.T, tour, id string) string {
	t.Helper()
	_, line, ok := strings.Cut(tour, "\nsidecar explain last ")
	if !ok {
		t.Fatalf("nothing is printed about explain:\n%s", tour)
	}
	line, _, _ = strings.Cut(line, "\n")
	code, out, errs := sidecar(t, "", append([]string{"explain", id}, strings.Fields(line)...)...)
	if code != exitOK || errs != "" {
		t.Fatalf("explain %s %s: exit status %d: %s", id, line, code, errs)
	}
	return out
}

func TestADecisionOfDevIsExplainedByTheIDInItsLine(t *testing.T) {
	for name, dir := range map[string]string{"policies of the directory": repository(t), "the example": t.TempDir()} {
		t.Run(name, func(t *testing.T) {
			tour, errs, stop := startDev(t, dir)
			pasted(t, tour, "denied for scope")
			pasted(t, tour, "allowed: ")
			var id string
			testkit.Eventually(t, "the line has an id", func() bool {
				m := regexp.MustCompile(`(?m)^403 insufficient_scope: .*  (\w{26})$`).FindStringSubmatch(errs.String())
				if m != nil {
					id = m[1]
				}
				return m != nil
			})
			log := regexp.MustCompile(`--log (\S+)`).FindStringSubmatch(tour)[1]
			testkit.Eventually(t, "both decisions are in the log", func() bool {
				return strings.Count(testkit.ReadFile(t, log), "\n") == 2
			})
			for id, want := range map[string]string{id: "403 insufficient_scope", "last": "200 allow"} {
				if got := explained(t, tour, id); !strings.HasPrefix(got, "recorded  "+want) ||
					!strings.Contains(got, "which are the recorded ones: the same answer\n") {
					t.Errorf("got %s", got)
				}
			}
			stop()
			if _, err := os.Stat(filepath.Dir(log)); err == nil {
				t.Errorf("%s is left behind", log)
			}
		})
	}
}

func TestDevKeepsADecisionLogThatIsNamed(t *testing.T) {
	log := filepath.Join(t.TempDir(), "d.jsonl")
	t.Setenv("SIDECAR_DECISION_LOG_FILE", "/nosuch/d.jsonl")
	tour, _, stop := startDev(t, t.TempDir(), "--decision-log", log)
	pasted(t, tour, "allowed: ")
	if code := stop(); code != exitOK {
		t.Errorf("exit status %d", code)
	}
	if got := testkit.ReadFile(t, log); !strings.Contains(got, `"kind":"allow"`) || !strings.Contains(tour, log) {
		t.Errorf("the log has %s", got)
	}
}

func TestDevServesPoliciesThatNeedATokenAsServeDoes(t *testing.T) {
	dir := t.TempDir()
	policy := "package authz\n\n# METADATA\n# entrypoint: true\ndecision := {\"allow\": true} if input.token.active\n"
	if err := os.MkdirAll(filepath.Join(dir, "policies"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "policies", "a.rego"), []byte(policy), 0o600); err != nil {
		t.Fatal(err)
	}
	tour, errs, _ := startDev(t, dir)
	if !errs.Has("decision.token is required here") || strings.Contains(tour, "# allowed without a token") {
		t.Errorf("%s\n%s", tour, errs)
	}
	if got := pasted(t, tour, "allowed: "); !strings.Contains(got, `"allow":true`) {
		t.Error(got)
	}
}
