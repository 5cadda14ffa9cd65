package app

import (
	"strings"

	"github.com/authz-sidecar/sidecar/internal/bundle"
)

// tellIgnored says once which files are left out, and again when others are.
func (a *App) tellIgnored(before, set *bundle.Set) {
	if len(set.Ignored) == 0 || before != nil && before.Ignored.Error() == set.Ignored.Error() {
		return
	}
	a.deps.Logger.Warn("files beside the policies are ignored", "count", len(set.Ignored), "files", strings.Split(set.Ignored.Error(), "\n")[:min(len(set.Ignored), 10)])
}
