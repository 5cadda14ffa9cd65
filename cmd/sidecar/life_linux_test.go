package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/authz-sidecar/sidecar/internal/testkit"
)

// endless is a policy for which the compiler of OPA takes longer than any test (OPA issue 9088).
func endless() string {
	const depth = 22
	return "package endless\n\nout := " + strings.Repeat("[y | y := ",
		depth) + "[y | y := input.context.xs[_]]" + strings.Repeat("]", depth) + "\n"
}

const denies = "package authz\n\n# METADATA\n# entrypoint: true\ndefault decision := false\n"

// process is a sidecar of its own.
type process struct {
	t      *testing.T
	cmd    *exec.Cmd
	dir    string
	stderr *testkit.LogBuffer
	ended  chan struct{}
}

// silent is an authorization server that accepts connections and never answers.
func silent(t *testing.T) string { return "http://" + testkit.Listen(t).Addr().String() }

// configure makes a directory with policies and the configuration sidecar.yaml, of which more is the end. Its
// authorization server never answers.
func configure(t *testing.T, more string) string { return configureFor(t, silent(t), more) }

// configureFor is configure for an authorization server. A call may take as long as the server takes.
func configureFor(t *testing.T, server, more string) string {
	t.Helper()
	dir := t.TempDir()
	testkit.WriteFile(t, filepath.Join(dir, "policies", "authz.rego"), denies)
	testkit.WriteFile(t, filepath.Join(dir, "sidecar.yaml"), fmt.Sprintf(`
listen:
  api: {address: "127.0.0.1:0", limits: {timeout: 10m}}
  admin: {address: "127.0.0.1:0"}
issuers:
  - introspection_endpoint: %s/introspect
    allow_insecure_http: true
    timeout: 10m
    client: {id: api, secret: {env: CLIENT_SECRET}}
policies: {paths: [policies]}
%s`, server, more))
	return dir
}

// launch starts the sidecar in a directory. It is killed at the end of the test.
func launch(t *testing.T, dir string, args ...string) *process {
	t.Helper()
	output := &testkit.LogBuffer{}
	return launchInto(t, dir, output, output, args...)
}

// launchInto is launch with another standard error.
func launchInto(t *testing.T, dir string, output *testkit.LogBuffer, stderr io.Writer, args ...string) *process {
	t.Helper()
	p := &process{t: t, dir: dir, stderr: output, ended: make(chan struct{}), cmd: exec.Command("sidecar", args...)}
	p.cmd.Dir, p.cmd.Stdout, p.cmd.Stderr = dir, output, stderr
	p.cmd.Env = append(slices.DeleteFunc(os.Environ(), func(v string) bool {
		return strings.HasPrefix(v, "SIDECAR_ENGINE_COMPILE_TIMEOUT=") // the configurations set their own
	}), "CLIENT_SECRET=x")
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(p.ended)
		_ = p.cmd.Wait()
	}()
	t.Cleanup(func() {
		_ = p.cmd.Process.Kill()
		<-p.ended
		if t.Failed() {
			t.Logf("standard error:\n%s", p.stderr)
		}
	})
	return p
}

// until polls for what the process does in its own time. When it fails, the test ends with what the process printed.
func (p *process) until(condition string, holds func() bool) {
	p.t.Helper()
	testkit.Eventually(p.t, condition, holds)
}

func (p *process) says(text string) {
	p.t.Helper()
	p.until("standard error has "+text, func() bool { return p.stderr.Has(text) })
}

func (p *process) signal(s os.Signal) {
	p.t.Helper()
	if err := p.cmd.Process.Signal(s); err != nil {
		p.t.Fatal(err)
	}
}

// exits waits for the end.
func (p *process) exits(code int) {
	p.t.Helper()
	select {
	case <-p.ended:
	case <-time.After(time.Minute):
		p.t.Fatal("the process does not end")
	}
	if got := p.cmd.ProcessState.ExitCode(); got != code {
		p.t.Errorf("exit code %d, want %d\n%s", got, code, p.stderr)
	}
}

// address is where a listener is.
func (p *process) address(listener string) string {
	p.t.Helper()
	p.says("msg=serving")
	return "http://" + regexp.MustCompile(listener + `=(\S+)`).FindStringSubmatch(p.stderr.String())[1]
}

// body is what a URL answers.
func (p *process) body(url string) string {
	p.t.Helper()
	resp, err := http.Get(url)
	if err != nil {
		p.t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		p.t.Fatal(err)
	}
	return string(b)
}

// compiles waits until the process is at work with the compiler: it has used a processor for a while.
func (p *process) compiles() {
	p.t.Helper()
	p.until("it compiles", func() bool {
		stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", p.cmd.Process.Pid))
		if err != nil {
			return false
		}
		fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
		var ticks int
		_, err = fmt.Sscan(fields[11], &ticks) // utime, in hundredths of a second
		return err == nil && ticks > 100
	})
}

// TestASignalEndsACommandThatCompiles: check and eval obey Ctrl-C, and a start SIGTERM, whatever the compiler does.
func TestASignalEndsACommandThatCompiles(t *testing.T) {
	for name, c := range map[string]struct {
		args   []string
		signal os.Signal
		exit   int
		says   string
	}{
		"check": {[]string{"check", "policies"}, os.Interrupt, exitFailed, "interrupted"},
		"eval":  {[]string{"eval", "--url", "https://a.example/"}, os.Interrupt, exitFailed, "interrupted"},
		"serve": {[]string{"serve"}, syscall.SIGTERM, exitOK, "before the start was over"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := configure(t, "engine: {compile_timeout: 10m}")
			testkit.WriteFile(t, filepath.Join(dir, "policies", "endless.rego"), endless())
			p := launch(t, dir, c.args...)
			p.compiles()
			p.signal(c.signal)
			p.exits(c.exit)
			p.says(c.says)
		})
	}
}

// TestAStartThatCompilesTooLongFails: with a message that names the limit.
func TestAStartThatCompilesTooLongFails(t *testing.T) {
	t.Parallel()
	dir := configure(t, "engine: {compile_timeout: 1s}")
	testkit.WriteFile(t, filepath.Join(dir, "policies", "endless.rego"), endless())
	p := launch(t, dir, "serve")
	p.exits(exitNotCompile)
	p.says("compile_timeout: the policies are not compiled after 1s (engine.compile_timeout)")
}

// TestACompilerThatNeverEndsHoldsNeitherReloadNorStop: the last good policies decide, status, metric and log say so, a
// corrected set is compiled at once, and the process ends when it is asked to.
func TestACompilerThatNeverEndsHoldsNeitherReloadNorStop(t *testing.T) {
	t.Parallel()
	dir := configure(t, "engine: {compile_timeout: 5s}\nshutdown_timeout: 10s")
	p := launch(t, dir, "serve")
	admin := p.address("admin")
	type status struct {
		Policy struct {
			Healthy bool
			Digest  string
			Errors  []struct{ Code string }
		}
	}
	read := func() (s status) {
		t.Helper()
		if err := json.Unmarshal([]byte(p.body(admin+"/v1/status")), &s); err != nil {
			t.Fatal(err)
		}
		return s
	}
	first := read()
	testkit.WriteFile(t, filepath.Join(dir, "policies", "endless.rego"), endless())
	p.until("the status says so", func() bool {
		s := read()
		return !s.Policy.Healthy && len(s.Policy.Errors) == 1 && s.Policy.Errors[0].Code == "compile_timeout" &&
			s.Policy.Digest == first.Policy.Digest
	})
	p.says("compile_timeout: ")
	metrics := p.body(admin + "/metrics")
	for _, want := range []string{"\nsidecar_app_reload_failing 1\n", "\nsidecar_app_late_compilations 1\n"} {
		if !strings.Contains(metrics, want) {
			t.Errorf("no %q among the metrics", want)
		}
	}
	testkit.WriteFile(t, filepath.Join(dir, "policies", "endless.rego"), "package endless\n\nout := 1\n")
	p.until("the corrected set decides", func() bool {
		s := read()
		return s.Policy.Healthy &&
			s.Policy.Digest != first.Policy.Digest
	})
	if !strings.Contains(p.body(admin+"/metrics"), "\nsidecar_app_late_compilations 1\n") {
		t.Error("the compiler is said to have ended")
	}
	p.signal(syscall.SIGTERM)
	p.exits(exitOK)
	p.says("msg=stopped")
}

// TestANamedPipeWithoutReaderHoldsNothing: neither the start, nor SIGHUP, nor the stop.
func TestANamedPipeWithoutReaderHoldsNothing(t *testing.T) {
	t.Parallel()
	dir := configure(t, "decision_log: {file: pipe}\nshutdown_timeout: 20s")
	if err := syscall.Mkfifo(filepath.Join(dir, "pipe"), 0o600); err != nil {
		t.Fatal(err)
	}
	p := launch(t, dir, "serve")
	api, admin := p.address("api"), p.address("admin")
	p.says("decision log is not open")
	p.signal(syscall.SIGHUP)
	p.says("decision log not opened again")
	resp, err := http.Post(api+"/v1/decisions", "application/json",
		strings.NewReader(`{"request":{"method":"GET","url":"https://a.example/"}}`))
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	p.until("the status says so", func() bool {
		s := p.body(admin + "/v1/status")
		return strings.Contains(s, "no process reads this pipe") && strings.Contains(s, `"dropped": 1`)
	})
	if !strings.Contains(p.body(admin+"/metrics"), `sidecar_decisionlog_dropped_total{reason="sink_failed"} 1`) {
		t.Error("the metrics do not say why the event was dropped")
	}
	p.signal(syscall.SIGTERM)
	p.exits(exitOK)
}

// TestASecondSignalEndsTheProcessAtOnce: even while a call is waited for. The call cannot end before, because its
// introspection request is not answered.
func TestASecondSignalEndsTheProcessAtOnce(t *testing.T) {
	t.Parallel()
	arrived := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body) // or the end of the connection would not end the request
		close(arrived)
		<-r.Context().Done()
	}))
	t.Cleanup(server.Close)
	p := launch(t, configureFor(t, server.URL, "shutdown_timeout: 10m"), "serve")
	api := p.address("api")
	go func() {
		req, _ := http.NewRequest("POST", api+"/v1/decisions",
			strings.NewReader(`{"request":{"method":"GET","url":"https://a.example/"},"token":"abcdefgh"}`))
		req.Header.Set("Content-Type", "application/json")
		if resp, err := http.DefaultClient.Do(req); err == nil {
			resp.Body.Close()
		}
	}()
	<-arrived
	p.signal(syscall.SIGTERM)
	p.says("msg=\"stopping")
	p.signal(syscall.SIGTERM)
	p.exits(exitFailed)
	p.says("a second signal ended the process at once")
}

// TestAStandardErrorThatIsFullDoesNotKeepTheProcess: a reader that has stopped reading must not keep the process
// alive.
func TestAStandardErrorThatIsFullDoesNotKeepTheProcess(t *testing.T) {
	t.Parallel()
	dir := configure(t, "shutdown_timeout: 1s\ntelemetry: {log: {level: debug}}")
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	for full := make([]byte, 4096); err == nil; { // until not a byte more fits
		_ = w.SetWriteDeadline(time.Now().Add(100 * time.Millisecond))
		_, err = w.Write(full)
	}
	if !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatal(err)
	}
	p := launchInto(t, dir, &testkit.LogBuffer{}, w, "serve")
	w.Close()
	p.until("it waits for its reader", func() bool {
		threads, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/wchan", p.cmd.Process.Pid))
		return slices.ContainsFunc(threads, func(name string) bool {
			b, err := os.ReadFile(name)
			return err == nil && strings.Contains(string(b), "pipe_write")
		})
	})
	p.signal(syscall.SIGTERM)
	p.exits(exitFailed)
}
