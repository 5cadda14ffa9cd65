package native

import (
	"encoding/binary"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/authz-sidecar/sidecar/internal/jsonbound"
)

// plainJSON reads JSON from left to right. Whatever is not well-formed, or could be read in two ways, ends it: its
// functions are then false.
type plainJSON struct {
	body []byte
	// at is where the rest begins, and ends where the last string ended, before its quote.
	at, ends int
}

// object reads an object, whose values are read by member. The names are unescaped, and may occur twice.
func (p *plainJSON) object(member func(name []byte) bool) bool {
	if !p.take('{') {
		return false
	}
	if p.take('}') {
		return true
	}
	for {
		p.space()
		name, escaped, ok := p.quoted()
		if !ok || escaped || !p.take(':') || !member(name) {
			return false
		}
		if p.take('}') {
			return true
		}
		if !p.take(',') {
			return false
		}
	}
}

// array reads an array, whose items are read by item.
func (p *plainJSON) array(item func() bool) bool {
	if !p.take('[') {
		return false
	}
	if p.take(']') {
		return true
	}
	for item() {
		if p.take(']') {
			return true
		}
		if !p.take(',') {
			return false
		}
	}
	return false
}

// take reads c after white space.
func (p *plainJSON) take(c byte) bool {
	p.space()
	if p.at == len(p.body) || p.body[p.at] != c {
		return false
	}
	p.at++
	return true
}

func (p *plainJSON) space() {
	for p.at < len(p.body) {
		switch p.body[p.at] {
		case ' ', '\t', '\r', '\n':
			p.at++
		default:
			return
		}
	}
}

// ended reports whether nothing but white space is left.
func (p *plainJSON) ended() bool {
	p.space()
	return p.at == len(p.body)
}

func (p *plainJSON) null() bool { return p.literal("null") }

func (p *plainJSON) literal(word string) bool {
	p.space()
	if len(p.body)-p.at < len(word) || string(p.body[p.at:p.at+len(word)]) != word {
		return false
	}
	p.at += len(word)
	return true
}

// quoted reads a string, and returns what stands between its quotes: UTF-8 without control characters. Escapes are
// not read.
func (p *plainJSON) quoted() (between []byte, escaped, ok bool) {
	if !p.take('"') {
		return nil, false, false
	}
	from, ascii := p.at, true
	for p.at < len(p.body) {
		if rest := p.body[p.at:]; len(rest) >= 8 && ordinary(binary.LittleEndian.Uint64(rest)) {
			p.at += 8
			continue
		}
		switch c := p.body[p.at]; {
		case c == '"':
			between, p.ends = p.body[from:p.at], p.at
			p.at++
			return between, escaped, ascii || utf8.Valid(between)
		case c == '\\':
			escaped = true
			p.at++ // the next one is no end, whatever it is
		case c < ' ':
			return nil, false, false
		case c >= utf8.RuneSelf:
			ascii = false
		}
		p.at++
	}
	return nil, false, false
}

// ordinary reports whether none of eight bytes is a quote, a backslash, a control character or outside ASCII.
func ordinary(eight uint64) bool {
	const each, high = 0x0101010101010101, 0x8080808080808080
	quote, backslash := eight^('"'*each), eight^('\\'*each)
	return (eight|(eight-' '*each)&^eight|(quote-each)&^quote|(backslash-each)&^backslash)&high == 0
}

// free reads any value that is nested in depth others: one whose objects have few members, none twice.
func (p *plainJSON) free(depth int) bool {
	p.space()
	if p.at == len(p.body) || depth > jsonbound.MaxDepth {
		return false
	}
	switch c := p.body[p.at]; {
	case c == '{':
		return p.freeObject(depth)
	case c == '[':
		return p.array(func() bool { return p.free(depth + 1) })
	case c == '"':
		quoted, escaped, ok := p.quoted()
		if ok && escaped {
			_, err := jsontext.AppendUnquote(nil, p.body[p.at-len(quoted)-2:p.at])
			return err == nil
		}
		return ok
	case c == '-' || '0' <= c && c <= '9':
		return p.number()
	}
	return p.literal("true") || p.literal("false") || p.null()
}

func (p *plainJSON) freeObject(depth int) bool {
	var names [16][]byte // more members are for the other reader
	n := 0
	return p.object(func(name []byte) bool {
		for _, other := range names[:n] {
			if string(other) == string(name) {
				return false
			}
		}
		if n == len(names) {
			return false
		}
		names[n] = name
		n++
		return p.free(depth + 1)
	})
}

// number reads a number (RFC 8259 section 6).
func (p *plainJSON) number() bool {
	p.accept('-', '-')
	if p.accept('0', '0') == 0 && p.digits() == 0 {
		return false
	}
	if p.accept('.', '.') > 0 && p.digits() == 0 {
		return false
	}
	if p.accept('e', 'e') == 0 && p.accept('E', 'E') == 0 {
		return true
	}
	if p.accept('+', '+') == 0 {
		p.accept('-', '-')
	}
	return p.digits() > 0
}

func (p *plainJSON) digits() (n int) {
	for p.accept('0', '9') > 0 {
		n++
	}
	return n
}

// accept reads one character from first to last, if there is one.
func (p *plainJSON) accept(first, last byte) int {
	if p.at == len(p.body) || p.body[p.at] < first || p.body[p.at] > last {
		return 0
	}
	p.at++
	return 1
}
