package main

import (
	"testing"
	"testing/fstest"
)

func TestTheMemoryLimitIsTheLeastOfTheControlGroups(t *testing.T) {
	const v2 = "30 23 0:26 / /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw\n"
	const v1 = "31 23 0:27 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu\n32 23 0:28 / /sys/fs/cgroup/memory rw - " +
		"cgroup cgroup rw,memory\n"
	for name, c := range map[string]struct {
		groups, mounts string
		files          map[string]string
		want           uint64
		from           string
	}{
		"version 2": {"0::/pod/app\n", v2,
			map[string]string{"sys/fs/cgroup/pod/app/memory.max": "134217728\n"}, 128 << 20,
			"sys/fs/cgroup/pod/app/memory.max"},
		"a group above": {"0::/pod/app\n", v2,
			map[string]string{"sys/fs/cgroup/pod/app/memory.max": "max\n",
				"sys/fs/cgroup/pod/memory.max": "1048576\n"}, 1 << 20, "sys/fs/cgroup/pod/memory.max"},
		"the least": {"0::/pod/app\n", v2,
			map[string]string{"sys/fs/cgroup/pod/app/memory.max": "2097152\n",
				"sys/fs/cgroup/pod/memory.max": "1048576\n"}, 1 << 20, "sys/fs/cgroup/pod/memory.max"},
		"a namespace": {"0::/\n", v2, map[string]string{"sys/fs/cgroup/memory.max": "1048576"},
			1 << 20, "sys/fs/cgroup/memory.max"},
		"a mount of one group": {"0::/kubepods/pod1/c1\n",
			"30 23 0:26 /kubepods/pod1/c1 /sys/fs/cgroup ro - cgroup2 cgroup2 rw\n",
			map[string]string{"sys/fs/cgroup/memory.max": "1048576"}, 1 << 20, "sys/fs/cgroup/memory.max"},
		"a group that the mount hides": {"0::/../other\n",
			"30 23 0:26 /kubepods /sys/fs/cgroup ro - cgroup2 cgroup2 rw\n",
			map[string]string{"sys/fs/cgroup/memory.max": "1048576"}, 1 << 20, "sys/fs/cgroup/memory.max"},
		"version 1": {"5:cpu,cpuacct:/a\n4:memory:/docker/x\n", v1,
			map[string]string{"sys/fs/cgroup/memory/docker/x/memory.limit_in_bytes": "1048576\n",
				"sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712\n"}, 1 << 20,
			"sys/fs/cgroup/memory/docker/x/memory.limit_in_bytes"},
		"both versions": {"4:memory:/x\n0::/x\n", v1 + v2,
			map[string]string{"sys/fs/cgroup/memory/x/memory.limit_in_bytes": "1048576"}, 1 << 20,
			"sys/fs/cgroup/memory/x/memory.limit_in_bytes"},
		"none": {"0::/\n", v2, map[string]string{"sys/fs/cgroup/memory.max": "max\n"}, 0, ""},
		"none in version 1": {"4:memory:/\n", v1,
			map[string]string{"sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712\n"}, 0, ""},
		"no control groups": {"", "", nil, 0, ""},
		"rubbish": {"x\n:\n", "a b - c\n - \n",
			map[string]string{"sys/fs/cgroup/memory.max": "lots"}, 0, ""},
	} {
		root := fstest.MapFS{"proc/self/cgroup": {Data: []byte(c.groups)},
			"proc/self/mountinfo": {Data: []byte(c.mounts)}}
		for file, text := range c.files {
			root[file] = &fstest.MapFile{Data: []byte(text)}
		}
		if got, from := cgroupLimit(root); got != c.want || from != c.from {
			t.Errorf("%s: %d from %q, want %d from %q", name, got, from, c.want, c.from)
		}
	}
	if got, _ := cgroupLimit(fstest.MapFS{}); got != 0 {
		t.Errorf("%d without /proc", got)
	}
}
