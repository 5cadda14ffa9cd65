package dir

import (
	"io/fs"
	"syscall"
	"time"
)

// changedAt is when a file, or what is known about it, last changed, which no program can set back.
func changedAt(info fs.FileInfo) time.Time {
	if s, ok := info.Sys().(*syscall.Stat_t); ok {
		return time.Unix(s.Ctimespec.Unix())
	}
	return info.ModTime()
}
