package dir

import (
	"io/fs"
	"os"
	"syscall"
	"time"
)

// openForWriting reports whether a process has f open for writing. A read lease (fcntl(2), F_SETLEASE) is granted only
// while no process has: it is taken and given back at once. The kernel grants leases to the owner of the file and to
// processes with CAP_LEASE, on file systems that have them; elsewhere the answer is no.
func openForWriting(f *os.File) bool {
	conn, err := f.SyscallConn()
	if err != nil {
		return false
	}
	held := false
	_ = conn.Control(func(fd uintptr) {
		_, _, errno := syscall.Syscall(syscall.SYS_FCNTL, fd, syscall.F_SETLEASE, syscall.F_RDLCK)
		switch errno {
		case 0:
			_, _, _ = syscall.Syscall(syscall.SYS_FCNTL, fd, syscall.F_SETLEASE, syscall.F_UNLCK)
		case syscall.EAGAIN:
			held = true
		}
	})
	return held
}

// changedAt is when a file, or what is known about it, last changed. A program can set back the time of the last
// write, as copies that keep times do; it cannot set back this one.
func changedAt(info fs.FileInfo) time.Time {
	if s, ok := info.Sys().(*syscall.Stat_t); ok {
		return time.Unix(s.Ctim.Unix())
	}
	return info.ModTime()
}
