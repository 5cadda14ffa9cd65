package main

import (
	"bufio"
	"bytes"
	"io/fs"
	"log/slog"
	"math"
	"os"
	"path"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
)

// memoryShare is the part of a container's memory that Go may use: what is left is for what Go does not count, such as
// the pages of the binary and of files.
const memoryShare = 0.9

// boundMemory makes Go collect before the container's limit ends the process. GOMEMLIMIT, when it is set, wins.
func boundMemory(logger *slog.Logger) {
	if os.Getenv("GOMEMLIMIT") != "" {
		return
	}
	limit, file := cgroupLimit(os.DirFS("/"))
	if limit == 0 {
		return
	}
	soft := int64(float64(limit) * memoryShare)
	debug.SetMemoryLimit(soft)
	logger.Info("the memory limit of the container bounds the heap", "limit_bytes", limit, "gomemlimit_bytes", soft,
		"from", "/"+file)
}

// cgroupLimit returns the least memory limit of the control groups of this process, in bytes, and the file that says
// it; 0 when there is none. root is the file system. It knows version 2 (memory.max) and version 1
// (memory.limit_in_bytes) of cgroups.
func cgroupLimit(root fs.FS) (limit uint64, file string) {
	groups, err := fs.ReadFile(root, "proc/self/cgroup")
	if err != nil {
		return 0, "" // no Linux
	}
	mounts := cgroupMounts(root)
	for lines := bufio.NewScanner(bytes.NewReader(groups)); lines.Scan(); {
		// hierarchy-ID:controllers:path (cgroups(7)); version 2 has no controllers.
		parts := strings.SplitN(lines.Text(), ":", 3)
		if len(parts) != 3 {
			continue
		}
		kind, name := "cgroup2", "memory.max"
		if parts[1] != "" {
			kind, name = "cgroup", "memory.limit_in_bytes"
			if !slices.Contains(strings.Split(parts[1], ","), "memory") {
				continue
			}
		}
		for _, m := range mounts {
			if m.kind != kind {
				continue
			}
			for dir := m.below(parts[2]); ; dir = path.Dir(dir) {
				if n := bytesIn(root, path.Join(dir, name)); n != 0 && (limit == 0 || n < limit) {
					limit, file = n, path.Join(dir, name)
				}
				if dir == m.at || dir == "." {
					break
				}
			}
		}
	}
	return limit, file
}

// cgroupMount is where a hierarchy of control groups is mounted: at, below the root of the file system, shows the
// group of.
type cgroupMount struct{ kind, of, at string }

// below is the directory of a group. In a container the mount may show the container's own group as its top, under
// which the path of the group, as the host sees it, is not found.
func (m cgroupMount) below(group string) string {
	if rest, ok := strings.CutPrefix(group, m.of); ok && (m.of == "/" || rest == "" || rest[0] == '/') {
		return path.Join(m.at, rest)
	}
	return m.at
}

// cgroupMounts reads where memory is accounted for (proc_pid_mountinfo(5)).
func cgroupMounts(root fs.FS) []cgroupMount {
	info, err := fs.ReadFile(root, "proc/self/mountinfo")
	if err != nil {
		return nil
	}
	var out []cgroupMount
	for line := range strings.Lines(string(info)) {
		first, last, ok := strings.Cut(line, " - ")
		mount, kind := strings.Fields(first), strings.Fields(last)
		if !ok || len(mount) < 5 || len(kind) < 3 {
			continue
		}
		switch {
		case kind[0] == "cgroup2", kind[0] == "cgroup" && slices.Contains(strings.Split(kind[2], ","), "memory"):
			out = append(out, cgroupMount{kind: kind[0], of: mount[3],
				at: strings.TrimPrefix(path.Clean(mount[4]), "/")})
		}
	}
	return out
}

// bytesIn reads a limit; 0 is none. Version 1 spells "none" as a number near the largest.
func bytesIn(root fs.FS, name string) uint64 {
	b, err := fs.ReadFile(root, name)
	if err != nil {
		return 0
	}
	n, err := strconv.ParseUint(strings.TrimSpace(string(b)), 10, 64)
	if err != nil || n > math.MaxInt64/2 {
		return 0
	}
	return n
}
