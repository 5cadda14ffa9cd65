package main

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// releaseProgram unmaps the code and the constants of the program, of which a start takes more than what follows it.
// What is used after all is mapped again from the page cache, which keeps it. The error is a system's that does not
// tell mappings, or does not unmap one.
func releaseProgram() error {
	file, err := os.Readlink("/proc/self/exe")
	if err != nil {
		return err
	}
	smaps, err := os.ReadFile("/proc/self/smaps")
	if err != nil {
		return err
	}
	for _, m := range unwritten(bytes.NewReader(smaps), file) {
		// x/sys has this call for memory that it has mapped itself only.
		_, _, errno := unix.Syscall(unix.SYS_MADVISE, m.from, m.to-m.from, unix.MADV_DONTNEED)
		if errno != 0 {
			err = errors.Join(err, os.NewSyscallError("madvise", errno))
		}
	}
	return err
}

// mapping is a range of addresses.
type mapping struct{ from, to uintptr }

// unwritten returns the private mappings of a file that cannot be written to and have no page that differs from the
// file, as relocations and breakpoints make them: such a page would be lost. smaps is as proc_pid_smaps(5) says.
func unwritten(smaps io.Reader, file string) []mapping {
	var found []mapping
	var at mapping
	candidate := false
	for lines := bufio.NewScanner(smaps); lines.Scan(); {
		line := lines.Text()
		if m, rest, ok := mappingOf(line); ok {
			// Permissions, offset, device, inode, name.
			f := strings.Fields(rest)
			perms := f[0]
			at, candidate = m, strings.HasSuffix(rest, " "+file) && len(perms) == 4 && perms[0] == 'r' &&
				perms[1] == '-' && perms[3] == 'p'
			continue
		}
		if f := strings.Fields(line); candidate && len(f) == 3 && f[0] == "Anonymous:" && f[1] == "0" {
			found = append(found, at)
		}
	}
	return found
}

// mappingOf reads the first line about a mapping: its addresses, and the rest, which is not empty.
func mappingOf(line string) (m mapping, rest string, ok bool) {
	addresses, rest, _ := strings.Cut(line, " ")
	from, to, ok := strings.Cut(addresses, "-")
	if !ok || strings.TrimSpace(rest) == "" {
		return mapping{}, "", false
	}
	first, err := strconv.ParseUint(from, 16, strconv.IntSize)
	if err != nil {
		return mapping{}, "", false
	}
	last, err := strconv.ParseUint(to, 16, strconv.IntSize)
	return mapping{uintptr(first), uintptr(last)}, rest, err == nil && first < last
}
