package decisionlog

import "strings"

// maskedAppender is a value that can leave out parameters that are secret by their names. It returns JSON pointers,
// below itself, to what it changed.
type maskedAppender interface {
	AppendMasked(dst []byte, isSecret func(name string) bool) ([]byte, []string, error)
}

// parameters are names of parameters that hold secrets, without what spellings differ in.
type parameters map[string]struct{}

func newParameters(names []string) parameters {
	p := parameters{}
	for _, name := range names {
		p[bareName(name)] = struct{}{}
	}
	return p
}

func (p parameters) has(name string) bool {
	_, ok := p[bareName(name)]
	return ok
}

// bareName is a name in lower case without "-", "_" and ".", up to a bracket: api_key, API-Key and apiKey[] are one.
func bareName(name string) string {
	name, _, _ = strings.Cut(name, "[")
	return strings.ToLower(strings.Map(func(r rune) rune {
		if r == '-' || r == '_' || r == '.' || r == ' ' {
			return -1
		}
		return r
	}, name))
}

// append appends v, without its secret parameters when it can leave them out. The pointers begin with root.
func (p parameters) append(dst []byte, root string, v Appender) ([]byte, []string, error) {
	m, ok := v.(maskedAppender)
	if !ok || len(p) == 0 {
		dst, err := v.AppendJSON(dst)
		return dst, nil, err
	}
	dst, pointers, err := m.AppendMasked(dst, p.has)
	for i := range pointers {
		pointers[i] = root + pointers[i]
	}
	return dst, pointers, err
}
