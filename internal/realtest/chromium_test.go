//go:build real

package realtest

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"testing"
	"time"
)

// chromium is one tab of a browser, which is told what to do over a pipe (Chrome DevTools Protocol).
type chromium struct {
	process *process
	in      *os.File
	out     *bufio.Reader
	session string
	last    int
	loaded  bool
	// said is what the console, and the log of the tab, had to say.
	said []string
}

// message is a call, its answer, or an event.
type message struct {
	ID      int             `json:"id,omitempty"`
	Session string          `json:"sessionId,omitempty"`
	Method  string          `json:"method,omitempty"`
	Params  any             `json:"params,omitempty"`
	Result  json.RawMessage `json:"result,omitempty"`
	Error   *failure        `json:"error,omitempty"`
}

// failure is why a call has no result.
type failure struct{ Message string }

// startChromium starts a browser without network until the test ends.
func startChromium(t *testing.T) *chromium {
	t.Helper()
	program := tool(t, "chromium", "apt-get install --no-install-recommends chromium")
	cmd := exec.Command(program, "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
		"--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage",
		"--hide-scrollbars",
		"--remote-debugging-pipe", "--user-data-dir="+t.TempDir(), "about:blank")
	theirIn, in, err := os.Pipe()
	out, theirOut, err2 := os.Pipe()
	if err := errors.Join(err, err2); err != nil {
		t.Fatal(err)
	}
	cmd.ExtraFiles = []*os.File{theirIn, theirOut} // descriptors 3 and 4
	c := &chromium{in: in, out: bufio.NewReaderSize(out, 1<<20)}
	t.Cleanup(func() { _, _ = in.Close(), out.Close() })
	c.process = start(t, "Chromium", cmd)
	_, _ = theirIn.Close(), theirOut.Close()
	_ = out.SetReadDeadline(time.Now().Add(2 * time.Minute))
	var target struct{ TargetID, SessionID string }
	c.call(t, "Target.createTarget", map[string]any{"url": "about:blank"}, &target)
	c.call(t, "Target.attachToTarget", map[string]any{"targetId": target.TargetID, "flatten": true}, &target)
	c.session = target.SessionID
	for _, domain := range []string{"Page", "Runtime", "Log", "Accessibility"} {
		c.call(t, domain+".enable", nil, nil)
	}
	return c
}

// call waits for the answer to a call, and notes events before it.
func (c *chromium) call(t *testing.T, method string, params, result any) {
	t.Helper()
	c.last++
	line, err := json.Marshal(message{ID: c.last, Session: c.session, Method: method, Params: params})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.in.Write(append(line, 0)); err != nil {
		t.Fatalf("%s: %v", method, err)
	}
	for {
		m := c.read(t, method)
		if m.ID != c.last {
			continue
		}
		if m.Error != nil {
			t.Fatalf("%s: %s", method, m.Error.Message)
		}
		if result != nil {
			if err := json.Unmarshal(m.Result, result); err != nil {
				t.Fatalf("%s: %v", method, err)
			}
		}
		return
	}
}

func (c *chromium) read(t *testing.T, during string) message {
	t.Helper()
	line, err := c.out.ReadBytes(0)
	if err != nil {
		t.Fatalf("%s: read what Chromium says: %v", during, err)
	}
	var m message
	if err := json.Unmarshal(bytes.TrimSuffix(line, []byte{0}), &m); err != nil {
		t.Fatal(err)
	}
	switch m.Method {
	case "Page.loadEventFired":
		c.loaded = true
	case "Runtime.consoleAPICalled", "Runtime.exceptionThrown", "Log.entryAdded":
		c.said = append(c.said, fmt.Sprint(m.Params))
	}
	return m
}

// open shows a file in a window of a width, with light or dark colours.
func (c *chromium) open(t *testing.T, file string, width int, colours string) {
	t.Helper()
	c.call(t, "Emulation.setDeviceMetricsOverride",
		map[string]any{"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": false}, nil)
	c.call(t, "Emulation.setEmulatedMedia", map[string]any{
		"features": []map[string]string{{"name": "prefers-color-scheme", "value": colours}}}, nil)
	c.loaded = false
	c.call(t, "Page.navigate", map[string]any{"url": "file://" + file}, nil)
	for !c.loaded {
		c.read(t, "load "+file)
	}
}

// evaluate evaluates an expression in the page.
func (c *chromium) evaluate(t *testing.T, expression string, value any) {
	t.Helper()
	var answer struct {
		Result           struct{ Value json.RawMessage }
		ExceptionDetails json.RawMessage
	}
	c.call(t, "Runtime.evaluate", map[string]any{"expression": expression, "returnByValue": true}, &answer)
	if answer.ExceptionDetails != nil {
		t.Fatalf("evaluate %s: %s", expression, answer.ExceptionDetails)
	}
	if err := json.Unmarshal(answer.Result.Value, value); err != nil {
		t.Fatal(err)
	}
}

// picture takes a picture of the page, at most so many pixels high.
func (c *chromium) picture(t *testing.T, most int) []byte {
	t.Helper()
	var size struct {
		CSSContentSize struct{ Width, Height float64 }
	}
	c.call(t, "Page.getLayoutMetrics", nil, &size)
	var answer struct{ Data []byte }
	c.call(t, "Page.captureScreenshot", map[string]any{"format": "png", "captureBeyondViewport": true,
		"clip": map[string]any{"x": 0, "y": 0, "scale": 1, "width": size.CSSContentSize.Width,
			"height": min(size.CSSContentSize.Height, float64(most))}}, &answer)
	return answer.Data
}

// print prints the page as PDF, on the paper that its style asks for.
func (c *chromium) print(t *testing.T) []byte {
	t.Helper()
	var answer struct{ Data []byte }
	c.call(t, "Page.printToPDF", map[string]any{"preferCSSPageSize": true}, &answer)
	return answer.Data
}

// roles counts the parts of the page by what a screen reader calls them.
func (c *chromium) roles(t *testing.T) map[string]int {
	t.Helper()
	var tree struct {
		Nodes []struct {
			Ignored bool
			Role    struct{ Value string }
		}
	}
	c.call(t, "Accessibility.getFullAXTree", nil, &tree)
	out := map[string]int{}
	for _, n := range tree.Nodes {
		if !n.Ignored {
			out[n.Role.Value]++
		}
	}
	return out
}
