package main

import (
	"os"
	"slices"
	"strings"
	"testing"
)

func TestMappingsOfTheProgramAreThoseThatAreAsTheFileIs(t *testing.T) {
	const smaps = `00400000-0174c000 r-xp 00000000 fe:00 12100433                           /opt/side car/sidecar
Size:              19760 kB
Rss:               17200 kB
Anonymous:             0 kB
VmFlags: rd ex mr mw me
0174c000-0174d000 r-xp 0134c000 fe:00 12100433                           /opt/side car/sidecar
Rss:                   4 kB
Anonymous:             4 kB
0174d000-030b0000 r--p 0134d000 fe:00 12100433                           /opt/side car/sidecar
Rss:               15696 kB
Anonymous:             0 kB
030b0000-0322b000 rw-p 02cb0000 fe:00 12100433                           /opt/side car/sidecar
Rss:                 556 kB
Anonymous:             0 kB
0322b000-0322c000 r--s 02cb0000 fe:00 12100433                           /opt/side car/sidecar
Anonymous:             0 kB
0322c000-0527b000 r--p 00000000 00:00 0
Anonymous:             0 kB
7f7d6f920000-7f7d6fd00000 r--p 00000000 fe:00 77                         /usr/lib/locale/sidecar
Anonymous:             0 kB
`
	got := unwritten(strings.NewReader(smaps), "/opt/side car/sidecar")
	if want := []mapping{{0x400000, 0x174c000}, {0x174d000, 0x30b0000}}; !slices.Equal(got, want) {
		t.Errorf("got %x, want %x", got, want)
	}
}

func TestAProgramGoesOnWithoutItsPages(t *testing.T) {
	smaps, err := os.Open("/proc/self/smaps")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = smaps.Close() }()
	file, err := os.Readlink("/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}
	if len(unwritten(smaps, file)) == 0 {
		t.Error("the program has no mapping of its code")
	}
	if err := releaseProgram(); err != nil {
		t.Error(err)
	}
}
