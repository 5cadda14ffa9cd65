package listen

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/url"
	"os"
	"strconv"
	"syscall"
	"time"
)

// listenUnix opens unix:///path?mode=0660. A socket that an ended process left behind is removed; one that another
// process may still serve is not.
func listenUnix(address string) (net.Listener, error) {
	u, err := url.Parse(address)
	if err != nil {
		return nil, err
	}
	mode := uint64(0o660)
	if m := u.Query().Get("mode"); m != "" {
		if mode, err = strconv.ParseUint(m, 8, 32); err != nil {
			return nil, fmt.Errorf("mode %q is not octal", m)
		}
	}
	if err := removeStale(u.Path); err != nil {
		return nil, err
	}
	// The mode is set before the socket gets its name: at no moment may more users connect.
	lc := net.ListenConfig{Control: func(_, _ string, c syscall.RawConn) error {
		// Linux supports it; elsewhere Chmod below sets the mode
		return c.Control(func(fd uintptr) { _ = syscall.Fchmod(int(fd), uint32(mode)) })
	}}
	ln, err := lc.Listen(context.Background(), "unix", u.Path)
	if err != nil {
		return nil, err
	}
	if err := os.Chmod(u.Path, fs.FileMode(mode)); err != nil { // what the umask took away
		_ = ln.Close()
		return nil, err
	}
	return ln, nil
}

// removeStale removes a socket that no process listens on, which is certain only when the connection is refused.
func removeStale(path string) error {
	if info, err := os.Lstat(path); err != nil || info.Mode()&fs.ModeSocket == 0 {
		return nil // Listen reports what is wrong, if anything
	}
	conn, err := net.DialTimeout("unix", path, time.Second)
	switch {
	case err == nil:
		_ = conn.Close()
		return errors.New("another process answers there")
	case !errors.Is(err, syscall.ECONNREFUSED):
		return fmt.Errorf("look whether another process answers there: %w", err)
	}
	return os.Remove(path)
}
