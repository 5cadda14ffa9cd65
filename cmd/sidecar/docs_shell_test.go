package main

import (
	"bytes"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/authz-sidecar/sidecar/internal/testkit"
)

// session is what a reader of one page has: a directory, a shell whose variables stay, and servers that were started.
// The addresses that a page shows are free ones here: commands and files get these, outputs the shown ones.
type session struct {
	dir, state string // where commands begin; the shell's variables and directory
	servers    []*background
	last       string // what the last command printed
	lastStatus int
}

// background is a server that a page started.
type background struct {
	cmd       *exec.Cmd
	log       *testkit.LogBuffer
	addresses map[string]string // the shown one -> the one in use
	done      chan struct{}
}

func newSession(t *testing.T, root string) *session {
	t.Helper()
	s := &session{dir: t.TempDir(), state: t.TempDir()}
	testkit.WriteFile(t, filepath.Join(s.state, "variables"), "cd '"+s.dir+"'\nROOT='"+root+"'\nHOME='"+s.dir+"'\n")
	testkit.WriteFile(t, filepath.Join(s.state, "server"), "")
	testkit.WriteFile(t, filepath.Join(s.state, "stdin"), "")
	t.Cleanup(func() {
		for _, b := range s.servers {
			s.stop(slices.Collect(maps.Keys(b.addresses))...)
		}
	})
	return s
}

// shell is a command of the session. Variables are exported, so that they outlive it.
func (s *session) shell(command string) *exec.Cmd {
	cmd := exec.Command("sh", "-c", `set -a; . "$SESSION/variables"`+"\n"+command)
	cmd.Env = append(os.Environ(), "SESSION="+s.state)
	return cmd
}

// run runs a command and keeps what it printed and its exit status.
func (s *session) run(t *testing.T, command string) {
	t.Helper()
	var out bytes.Buffer
	cmd := s.shell("{ " + s.inUse(command) + "\n} < \"$SESSION/stdin\"" +
		"\nstatus=$?; { export -p | grep -v PWD=; echo \"cd '$(pwd)'\"; } > \"$SESSION/next\"; exit $status")
	cmd.Stdout, cmd.Stderr = &out, &out
	err := cmd.Run()
	if cmd.ProcessState == nil {
		t.Fatal(err)
	}
	s.last, s.lastStatus = s.shown(out.String()), cmd.ProcessState.ExitCode()
	if err := os.Rename(filepath.Join(s.state, "next"), filepath.Join(s.state, "variables")); err != nil {
		t.Errorf("%s: the shell ended early: %s", command, s.last)
	}
}

// loopback is an address of this machine.
var loopback = regexp.MustCompile(`\b(127\.0\.0\.1|localhost):\d+`)

// serverLine is a command that does not end: sidecar dev or serve, with what stands before and after.
var serverLine = regexp.MustCompile(`^((?:cd \S+ && )?(?:[A-Z_0-9]+=\S+ )*)sidecar (dev|serve)\b(?s:(.*?))\s*&?$`)

// start starts a server in the background and waits until it serves. One that has the same addresses is stopped first,
// as its reader has to.
func (s *session) start(t *testing.T, before, name, after string) {
	t.Helper()
	api, admin, issuer := "127.0.0.1:8181", "127.0.0.1:8282", "127.0.0.1:8180"
	for _, given := range []struct {
		address *string
		by      string
	}{{&api, `(?:API_ADDRESS=|--api )`}, {&admin, `(?:ADMIN_ADDRESS=|--admin )`}, {&issuer, `--issuer `}} {
		if m := regexp.MustCompile(given.by + `(127\.0\.0\.1:\d+)`).FindStringSubmatch(before + after); m != nil {
			*given.address = m[1]
		}
	}
	s.stop(api, admin)
	if name == "dev" {
		s.stop(issuer)
	}
	free := func(part string) string { return loopback.ReplaceAllString(part, "127.0.0.1:0") }
	line := free(before) + "SIDECAR_LISTEN_API_ADDRESS=127.0.0.1:0 SIDECAR_LISTEN_ADMIN_ADDRESS=127.0.0.1:0 " +
		"SIDECAR_ISSUERS_0_TIMEOUT=20s sidecar serve" + after
	if name == "dev" {
		line = free(before) + "SIDECAR_ISSUERS_0_TIMEOUT=20s sidecar dev --api 127.0.0.1:0 --admin 127.0.0.1:0 " +
			"--issuer 127.0.0.1:0" + free(after)
	}
	b := &background{cmd: s.shell(line), log: &testkit.LogBuffer{}, done: make(chan struct{})}
	b.cmd.Stdout, b.cmd.Stderr = b.log, b.log
	b.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := b.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { _ = b.cmd.Wait(); close(b.done) }()
	b.addresses = map[string]string{}
	s.servers = append(s.servers, b)
	serving := regexp.MustCompile(`serving"?,?.*?"?api"?[=:]"?(127\.0\.0\.1:\d+).*?"?admin"?[=:]"?(127\.0\.0\.1:\d+)`)
	testkit.Eventually(t, line+" serves", func() bool {
		select {
		case <-b.done:
			t.Fatalf("%s ended: %s", line, b.log)
		default:
		}
		return serving.MatchString(b.log.String()) && (name != "dev" || b.log.Has("# a configuration of your own"))
	})
	at := serving.FindStringSubmatch(b.log.String())
	b.addresses[api], b.addresses[admin] = at[1], at[2]
	gateway := regexp.MustCompile(`FORWARD_AUTH_0_ADDRESS=(127\.0\.0\.1:\d+)`).FindStringSubmatch(before)
	if m := regexp.MustCompile(`forward_auth\.\w+=(127\.0\.0\.1:\d+)`).FindStringSubmatch(b.log.String()); m != nil &&
		gateway != nil {
		b.addresses[gateway[1]] = m[1]
	}
	if m := regexp.MustCompile(`authorization server\s+http://(127\.0\.0\.1:\d+)`).FindStringSubmatch(
		b.log.String()); m != nil {
		b.addresses[issuer] = m[1]
	}
	s.last, s.lastStatus = s.shown(b.log.String()), 0
	for _, file := range []string{"server", name} {
		testkit.WriteFile(t, filepath.Join(s.state, file), b.log.String())
	}
}

// stop stops the servers that have one of these addresses.
func (s *session) stop(addresses ...string) {
	var kept []*background
	for _, b := range s.servers {
		if !slices.ContainsFunc(addresses, func(address string) bool { return b.addresses[address] != "" }) {
			kept = append(kept, b)
			continue
		}
		_ = syscall.Kill(-b.cmd.Process.Pid, syscall.SIGTERM)
		<-b.done
	}
	s.servers = kept
}

var (
	cutToken   = regexp.MustCompile(`Bearer [\w-]{6,}\.\.\.`)
	shownToken = regexp.MustCompile(`Bearer [\w-]{20,}`)
)

// inUse puts the addresses in use in place of the shown ones. The authorization server of the examples is that of
// "sidecar dev", where this one runs, and a token that is cut off is the first that it printed. Directories of a whole
// machine are in that of the session.
func (s *session) inUse(text string) string {
	for _, b := range s.servers {
		if used, ok := b.addresses["127.0.0.1:8180"]; ok {
			text = strings.ReplaceAll(text, "https://login.acme.example", "http://"+used)
		}
	}
	text = cutToken.ReplaceAllStringFunc(text, func(cut string) string {
		for _, b := range s.servers {
			if m := shownToken.FindString(b.log.String()); m != "" {
				return m
			}
		}
		return cut
	})
	for _, root := range []string{"/run/secrets/", "/run/sidecar/", "/etc/sidecar/"} {
		text = strings.ReplaceAll(text, root, s.dir+root)
	}
	return s.translated(text, func(shown, used string) (string, string) { return shown, used })
}

// shown is the way back.
func (s *session) shown(text string) string {
	return s.translated(text, func(shown, used string) (string, string) { return used, shown })
}

func (s *session) translated(text string, direction func(shown, used string) (from, to string)) string {
	return loopback.ReplaceAllStringFunc(text, func(found string) string {
		host, port, _ := strings.Cut(found, ":")
		for _, b := range s.servers {
			for shown, used := range b.addresses {
				if from, to := direction(shown, used); strings.TrimPrefix(from, "127.0.0.1:") == port {
					return host + strings.TrimPrefix(to, "127.0.0.1")
				}
			}
		}
		return found
	})
}

// printed tells whether a server of the session has printed a line, and waits for it.
func (s *session) printed(t *testing.T, line string) {
	t.Helper()
	testkit.Eventually(t, "a server prints "+line, func() bool {
		for _, b := range s.servers {
			for _, have := range strings.Split(s.shown(b.log.String()), "\n") {
				if matches(line, have) {
					return true
				}
			}
		}
		return false
	})
}
