package decision

import (
	"slices"
	"strings"
)

// pattern is what paths look like. Requests are only text: a segment * of a path is a segment like any other.
type pattern struct {
	segments []string // anySegment is any one, as long as it is not empty
	tail     tail
}

// tail says what may follow the segments of a pattern.
type tail uint8

const (
	nothing tail = iota
	oneOrMore
)

const (
	anySegment = "*"
	allThatIs  = "**"
)

// newPattern splits a path as package input does. The path / has no segment.
func newPattern(path string) pattern {
	if path == "/" {
		return pattern{}
	}
	p := pattern{segments: strings.Split(strings.TrimPrefix(path, "/"), "/")}
	if last := len(p.segments) - 1; p.segments[last] == allThatIs {
		p.segments, p.tail = p.segments[:last], oneOrMore
	}
	return p
}

// takes reports whether a path, in its decoded segments, looks so. What follows may be an empty segment: a path may end in
// a slash.
func (p *pattern) takes(path []string) bool {
	if len(path) < len(p.segments) || p.tail == nothing && len(path) > len(p.segments) || p.tail == oneOrMore && len(path) == len(p.segments) {
		return false
	}
	for i, s := range p.segments {
		if s == anySegment && path[i] == "" || s != anySegment && s != path[i] {
			return false
		}
	}
	return true
}

// covers reports whether p takes every path that o takes.
func (p *pattern) covers(o *pattern) bool {
	more := len(o.segments) - len(p.segments)
	if more < 0 || p.tail == nothing && (more > 0 || o.tail == oneOrMore) || p.tail == oneOrMore && more == 0 && o.tail == nothing {
		return false
	}
	for i, s := range p.segments {
		if s == anySegment && o.segments[i] == "" || s != anySegment && s != o.segments[i] {
			return false
		}
	}
	return true
}

// faultOfPath says why a pattern is none, or "".
func faultOfPath(path string) (cause, hint string) {
	if !strings.HasPrefix(path, "/") {
		return "does not begin with a slash", "write /orders, /orders/* or /orders/**"
	}
	segments := strings.Split(path[1:], "/")
	for i, s := range segments {
		last := i == len(segments)-1
		switch {
		case s == "" && !last:
			return "has an empty segment, as no path has", "write one slash"
		case s == "." || s == "..":
			return "has a dot segment, as no path has", "write the path that it leads to"
		case s == allThatIs && !last:
			return "has ** before its end", "end it with /**"
		case s != anySegment && s != allThatIs && strings.Contains(s, "*"):
			return "has a * within a segment", "write * for a whole segment, or ** for all that follows"
		case strings.ContainsAny(s, "?#"):
			return "has a query or a fragment", "remove what follows the path"
		case strings.Contains(s, "%"):
			return "has a percent sign", "write the path decoded"
		case slices.ContainsFunc([]rune(s), func(c rune) bool { return c < 0x20 || c == 0x7f }):
			return "has a control character", "remove it"
		}
	}
	return "", ""
}
