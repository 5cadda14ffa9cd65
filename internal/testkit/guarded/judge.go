package guarded

import (
	"net/url"
	"path"
	"strings"
)

// Sent is a request as its client wrote it. Its methods share no code with the sidecar.
type Sent struct {
	Method, Target, Host string
	// Fields are the names and values of its header, in order.
	Fields [][2]string
}

// Allowable reports whether the Point may allow the request, however an application reads it.
func (s Sent) Allowable() bool {
	tenants := 0
	for _, field := range s.Fields {
		if strings.EqualFold(field[0], "x-tenant") {
			tenants++
			if field[1] != "acme" {
				return false
			}
		}
	}
	host, port, _ := strings.Cut(strings.ToLower(s.Host), ":")
	return tenants == 1 && strings.EqualFold(s.Method, "GET") && strings.TrimSuffix(host, ".") == Host &&
		strings.Trim(port, "0123456789") == "" && !mayReachAdmin(s.Target)
}

// Fields reads the lines of a header. A line that begins with a blank continues the one before.
func Fields(lines []string) [][2]string {
	var out [][2]string
	for _, line := range lines {
		if n := len(out); n > 0 && strings.IndexAny(line, " \t") == 0 {
			out[n-1][1] += " " + strings.Trim(line, " \t")
			continue
		}
		name, value, _ := strings.Cut(line, ":")
		out = append(out, [2]string{name, strings.Trim(value, " \t")})
	}
	return out
}

// mayReachAdmin tells whether some application, however it reads a target, serves what is below /admin.
func mayReachAdmin(target string) bool {
	target, _, _ = strings.Cut(target, "?")
	readings := []string{target}
	for _, read := range []func(string) string{
		func(s string) string { before, _, _ := strings.Cut(s, "#"); return before },
		decoded, decoded,
		func(s string) string { return strings.ReplaceAll(s, `\`, "/") },
		withoutParameters,
		func(s string) string { before, _, _ := strings.Cut(s, "\x00"); return before },
		func(s string) string { return path.Clean("/" + s) },
	} {
		for _, s := range readings {
			readings = append(readings, read(s))
		}
	}
	for _, s := range readings {
		if s == "/admin" || strings.HasPrefix(s, "/admin/") {
			return true
		}
	}
	return false
}

func decoded(s string) string {
	s = strings.NewReplacer("%c0%ae", ".", "%c0%af", "/", "%C0%AE", ".", "%C0%AF", "/").Replace(s)
	if out, err := url.PathUnescape(s); err == nil {
		return out
	}
	return s
}

func withoutParameters(s string) string {
	segments := strings.Split(s, "/")
	for i := range segments {
		segments[i], _, _ = strings.Cut(segments[i], ";")
	}
	return strings.Join(segments, "/")
}
