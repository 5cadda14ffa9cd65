package migrate

import (
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/authz-sidecar/sidecar/internal/bundle"
	"github.com/authz-sidecar/sidecar/internal/yamlnode"
)

// otherFiles are the files that are no policies: data are copied, all else is named.
func (s *session) otherFiles(files []File) []File {
	var out []File
	taken := map[string]bool{}
	for _, f := range files {
		taken[f.Name] = true
	}
	for _, f := range files {
		kind, _, _ := bundle.Classify(path.Base(f.Name))
		switch kind {
		case bundle.DataJSON, bundle.DataYAML:
			out = append(out, f)
		case bundle.Module, bundle.Test:
		default:
			if to := s.dataName(f, taken); to != "" {
				s.report.note(f.Name, 1, "the file holds data that policies read: it is "+to+" now", "")
				out = append(out, File{to, f.Text})
				taken[to] = true
				continue
			}
			s.leftOut(f)
		}
	}
	return out
}

// dataName is where a data file of another name has to be: policies read what is at its top.
func (s *session) dataName(f File, taken map[string]bool) string {
	ext := strings.ToLower(path.Ext(f.Name))
	if ext != ".json" && ext != ".yaml" && ext != ".yml" {
		return ""
	}
	members := topMembers(f)
	if len(members) == 0 {
		return ""
	}
	read := s.dataRead()
	dir := path.Dir(f.Name)
	for _, prefix := range []string{"", strings.ReplaceAll(dir, "/", ".")} {
		if prefix == "." {
			continue
		}
		for _, m := range members {
			if !read[strings.TrimPrefix(prefix+"."+m, ".")] {
				continue
			}
			to := path.Join(strings.ReplaceAll(prefix, ".", "/"), "data"+ext)
			if ext == ".yml" {
				to = strings.TrimSuffix(to, ext) + ".yaml"
			}
			if !taken[to] {
				return to
			}
		}
	}
	return ""
}

// dataRead are the paths below data that policies read and no rule provides, with all that is above them.
func (s *session) dataRead() map[string]bool {
	out := map[string]bool{}
	for _, m := range s.modules {
		for _, ref := range s.dataRefs(m) {
			if s.ruleOf(ref) != "" {
				continue
			}
			parts := constants(ref)
			for n := 1; n <= len(parts); n++ {
				out[strings.Join(parts[:n], ".")] = true
			}
		}
	}
	return out
}

// dataRefs are the references below data in a module.
func (s *session) dataRefs(m *module) []ast.Ref {
	var out []ast.Ref
	r := &rewriter{world: s.world}
	r.term = func(t *ast.Term, sc *scope) (*ast.Term, bool) {
		if ref := asRef(t); ref != nil {
			if to := s.static(ref, sc); to != nil {
				out = append(out, to)
			}
		}
		return t, false
	}
	r.module(m)
	return out
}

// leftOut names a file that does not come along.
func (s *session) leftOut(f File) {
	base := path.Base(f.Name)
	switch {
	case strings.HasPrefix(base, "."):
		s.report.note(f.Name, 1, "not copied: OPAL's manifest lists files, and a manifest is a JSON object here", "")
	case path.Ext(base) == ".json" || path.Ext(base) == ".yaml" || path.Ext(base) == ".yml":
		s.report.note(f.Name, 1, "not copied: no policy reads what it holds",
			"data are in data.json or data.yaml, in the folder of their place")
	}
}

// topMembers are the names at the top of a data file. JSON is YAML too.
func topMembers(f File) []string {
	top, err := yamlnode.Parse(f.Text)
	if err != nil || top == nil {
		return nil
	}
	var out []string
	for _, m := range top.Members {
		out = append(out, m.Key.Text)
	}
	return out
}

// tell says at the end what depends on all that was read.
func (s *session) tell(seen *seen) {
	r := &s.report
	if s.product.name != ours {
		s.tellFacts(seen)
	}
	for _, key := range slices.Sorted(maps.Keys(r.verified)) {
		r.fact(fmt.Sprintf("tokens were verified by %s: that is %s of the configuration",
			strings.Join(r.verified[key], ", "), key))
	}
	s.configure()
	r.finish()
}
