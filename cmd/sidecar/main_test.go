package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

// TestMain makes the test binary be the commands that scripts run: sidecar itself, and a small curl and jq.
func TestMain(m *testing.M) {
	testscript.Main(patient{m}, map[string]func(){
		"sidecar": main,
		"curl":    func() { os.Exit(curl(os.Args[1:])) },
		"jq":      func() { os.Exit(jq(os.Args[1:])) },
	})
}

// patience are the variables of a sidecar that must decide on a machine with other work.
var patience = map[string]string{"SIDECAR_ENGINE_DEADLINE": "20s", "SIDECAR_ENGINE_COMPILE_TIMEOUT": "10m"}

// patient runs the tests with patience, which the commands that they start inherit.
type patient struct{ *testing.M }

func (p patient) Run() int {
	for name, value := range patience {
		if err := os.Setenv(name, value); err != nil {
			panic(err)
		}
	}
	return p.M.Run()
}

func TestScripts(t *testing.T) {
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	testscript.Run(t, testscript.Params{
		Dir: "testdata",
		Setup: func(env *testscript.Env) error {
			env.Setenv("ROOT", root)
			env.Setenv("HOME", env.WorkDir)
			for name, value := range patience {
				env.Setenv(name, value)
			}
			return nil
		},
		RequireExplicitExec: true,
		Cmds:                map[string]func(*testscript.TestScript, bool, []string){"exits": exits},
	})
}

// exits runs a command that must end with an exit code: exits 5 sidecar eval --url /x.
func exits(ts *testscript.TestScript, _ bool, args []string) {
	code := 0
	if err := ts.Exec(args[1], args[2:]...); err != nil {
		code = -1
		if exited, ok := errors.AsType[*exec.ExitError](err); ok {
			code = exited.ExitCode()
		}
	}
	if strconv.Itoa(code) != args[0] {
		ts.Fatalf("exit code %d, want %s", code, args[0])
	}
}

// curl is as much of curl as the printed lines use, so that the tests need nothing but Go and a shell.
func curl(args []string) int {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	var target, user string
	var data []string
	var head bool
	header := http.Header{}
	for i := 0; i < len(args); i++ {
		switch args[i] {
		case "-s":
		case "-i", "-si":
			head = true
		case "-u":
			i++
			user = args[i]
		case "-d":
			i++
			data = append(data, args[i])
		case "--data-urlencode":
			i++
			name, text, _ := strings.Cut(args[i], "=")
			data = append(data, name+"="+url.QueryEscape(text))
		case "-H":
			i++
			name, value, _ := strings.Cut(args[i], ": ")
			header.Set(name, value)
		default:
			if _, err := url.Parse(args[i]); err != nil || !strings.HasPrefix(args[i], "http") {
				fmt.Fprintf(os.Stderr, "curl: what is %q?\n", args[i])
				return 2
			}
			target = args[i]
		}
	}
	method := http.MethodGet
	if data != nil {
		method = http.MethodPost
	}
	req, err := http.NewRequestWithContext(ctx, method, target, strings.NewReader(strings.Join(data, "&")))
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	req.Header = header
	if data != nil && header.Get("Content-Type") == "" {
		header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	if name, password, ok := strings.Cut(user, ":"); ok {
		req.SetBasicAuth(name, password)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 7
	}
	defer resp.Body.Close()
	if head {
		var lines strings.Builder
		if err := resp.Header.Write(&lines); err != nil {
			return 1
		}
		fmt.Printf("%s %s\n%s\n", resp.Proto, resp.Status, strings.ReplaceAll(lines.String(), "\r\n", "\n"))
	}
	if _, err := io.Copy(os.Stdout, resp.Body); err != nil {
		return 1
	}
	return 0
}
