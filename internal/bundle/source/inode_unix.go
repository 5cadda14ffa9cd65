//go:build unix

package source

import (
	"io/fs"
	"strconv"
	"syscall"
)

// inode tells a file from another one that took its place.
func inode(info fs.FileInfo) string {
	if s, ok := info.Sys().(*syscall.Stat_t); ok {
		return strconv.FormatUint(s.Ino, 10)
	}
	return ""
}
