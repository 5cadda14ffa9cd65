package listen

import (
	"net"
	"strconv"
	"syscall"
)

// peerUser is the user that opened a connection to a socket, such as "uid 1000", or "" when the kernel does not say.
func peerUser(conn *net.UnixConn) string {
	raw, err := conn.SyscallConn()
	if err != nil {
		return ""
	}
	var user string
	_ = raw.Control(func(fd uintptr) {
		if of, err := syscall.GetsockoptUcred(int(fd), syscall.SOL_SOCKET, syscall.SO_PEERCRED); err == nil {
			user = "uid " + strconv.FormatUint(uint64(of.Uid), 10)
		}
	})
	return user
}
