package main

import (
	"strings"
	"time"

	"github.com/authz-sidecar/sidecar/internal/replay"
)

// replayProgress shows how far a replay is, ten times a second at most: bytes read of bytes.
func replayProgress(line *progress) func(replay.Progress) {
	var next time.Time
	return func(is replay.Progress) {
		if time.Now().Before(next) {
			return
		}
		next = time.Now().Add(100 * time.Millisecond)
		if is.Total == 0 {
			line.say("%d decisions", is.Decisions)
			return
		}
		const width = 30
		part := min(1, float64(is.Bytes)/float64(is.Total))
		done := int(part * width)
		line.say("[%s%s] %3.0f %%  %d decisions", strings.Repeat("=", done), strings.Repeat(" ", width-done), part*100,
			is.Decisions)
	}
}
