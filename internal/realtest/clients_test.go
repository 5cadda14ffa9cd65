//go:build real

package realtest

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"
	"time"

	"github.com/authz-sidecar/sidecar/internal/testkit/clientcases"
)

// clientApp is an application in front of which one of the clients of clients/ stands.
type clientApp struct {
	// name is that of the column, such as "Python WSGI".
	name string
	// command returns the program, and provisions what it needs. It is called for each of two starts, so what takes
	// long is kept by cached. The program is started with SIDECAR_URL, SIDECAR_TIMEOUT and PORT, prints a line
	// "listening on 127.0.0.1:PORT" to standard output, and answers as clientcases.App says.
	command func(t *testing.T) *exec.Cmd
}

// clientApps are the columns of the table.
func clientApps() []clientApp {
	return []clientApp{
		{"Go net/http", goApp("nethttp")},
		{"Go echo", goApp("echo")},
		{"Python WSGI, Flask", pythonApp("flask")},
		{"Python WSGI, waitress", pythonApp("waitress")},
		{"Python ASGI, uvicorn", pythonApp("uvicorn")},
		{"Python ASGI, Starlette", pythonApp("starlette")},
		{"Node http", nodeApp("http")},
		{"Node fetch", nodeApp("fetch")},
		{"Express 5", nodeApp("express")},
		{"Express 4", nodeApp("express4")},
		{"Java, Tomcat", javaApp("tomcat")},
		{"Java, Jetty", javaApp("jetty")},
	}
}

// TestClients is the table of clientcases: the clients of every language against the binary.
func TestClients(t *testing.T) {
	t.Parallel()
	w := clientcases.NewWorld(t, func(t *testing.T, configuration string) string {
		sc := &sidecar{}
		sc.process = start(t, "sidecar", exec.Command(binary, "serve", "--config", configuration))
		sc.await(t, 30*time.Second, sc.findAddresses)
		return sc.api
	})
	for _, app := range clientApps() {
		t.Run(app.name, func(t *testing.T) {
			w.Drive(t, clientcases.App{Name: app.name, Start: app.start})
		})
	}
	t.Logf("what the clients did:\n%s", w.Table())
}

var listening = regexp.MustCompile(`(?m)^listening on (127\.0\.0\.1:\d+)\r?$`)

// start runs the application until the end of t, and returns its address.
func (a clientApp) start(t *testing.T, s clientcases.Settings) string {
	t.Helper()
	cmd := a.command(t)
	if cmd.Env == nil {
		cmd.Env = os.Environ()
	}
	cmd.Env = append(cmd.Env, s.Env()...)
	p := start(t, a.name, cmd)
	var addr string
	p.await(t, time.Minute, func() bool {
		for _, line := range lines(p.stdout) {
			if m := listening.FindSubmatch(line); m != nil {
				addr = string(m[1])
			}
		}
		return addr != ""
	})
	return addr
}

// goApp builds a program of clients/go.
func goApp(name string) func(t *testing.T) *exec.Cmd {
	return func(t *testing.T) *exec.Cmd {
		t.Helper()
		program := filepath.Join(t.TempDir(), name)
		command(t, 5*time.Minute, "", "go", "build", "-o", program, "../../clients/go/"+name)
		return exec.Command(program)
	}
}
