package change

import (
	"bytes"
	"maps"
	"regexp"
	"slices"

	"github.com/authz-sidecar/sidecar/internal/config"
	"github.com/authz-sidecar/sidecar/internal/yamlnode"
)

// deciding matches the keys of the configuration that decisions depend on.
var deciding = regexp.MustCompile(`^(decision|input|engine)\.`)

// settings are the keys that differ, where each side has a configuration of its own.
func (x comparison) settings() []Setting {
	if x.from.Config == x.to.Config {
		return nil
	}
	before, after := flattened(x.from.Config), flattened(x.to.Config)
	all := maps.Clone(before)
	maps.Copy(all, after)
	var out []Setting
	for _, key := range slices.Sorted(maps.Keys(all)) {
		if before[key] != after[key] && deciding.MatchString(key) {
			out = append(out, Setting{key, before[key], after[key]})
		}
	}
	return out
}

// flattened is a configuration as texts by their keys: decision.token.
func flattened(cfg *config.Config) map[string]string {
	out := map[string]string{}
	var b bytes.Buffer
	if config.Print(cfg, &b) != nil {
		return out
	}
	if top, failed := yamlnode.Parse(b.Bytes()); failed == nil && top != nil {
		flatten(top, "", out)
	}
	return out
}

func flatten(n *yamlnode.Node, at string, into map[string]string) {
	if len(n.Members) == 0 {
		raw := ""
		if n.Scalar() {
			raw = n.Text
		}
		for i, element := range n.Items {
			if i > 0 {
				raw += ", "
			}
			raw += element.Text
		}
		into[at] = raw
		return
	}
	for _, m := range n.Members {
		key := m.Key.Text
		if at != "" {
			key = at + "." + key
		}
		flatten(m.Value, key, into)
	}
}
