package secret

import (
	"encoding/base64"
	"encoding/hex"
	"strconv"
	"strings"
)

// Redacted stands in a text for a secret that was taken out of it.
const Redacted = redacted

// Hider takes one secret out of texts, also where it is written in another form: percent-encoded, escaped as in JSON,
// in base64 of both alphabets at any place of what was encoded, in hexadecimal, and in up to four such forms over one
// another. A Hider belongs to one goroutine. Nil hides nothing.
type Hider struct {
	plain string
	forms []string // in base64, made when the first text may hold one
	hex   string
}

// shortest is the length from which a secret is looked for within texts. A shorter one is a word that occurs by
// chance, and no server issues such tokens (RFC 6749 section 10.10): it is hidden where it is the whole text.
const shortest = 6

// layers bounds how many forms over one another are undone.
const layers = 4

// NewHider returns what hides t, or nil when it is empty.
func NewHider(t Text) *Hider {
	if t.Empty() {
		return nil
	}
	return &Hider{plain: t.Reveal()}
}

// Hide returns s without the secret: Redacted stands for it, or for all of s where it is only there in a form that was
// undone.
func (h *Hider) Hide(s string) string {
	if !h.In(s) {
		return s
	}
	if len(h.plain) < shortest {
		return Redacted
	}
	out := strings.ReplaceAll(s, h.plain, Redacted)
	for _, f := range h.forms {
		out = strings.ReplaceAll(out, f, Redacted)
	}
	if h.In(out) {
		return Redacted
	}
	return out
}

// In reports whether s holds the secret.
func (h *Hider) In(s string) bool {
	if !h.Fits(len(s)) {
		return false
	}
	for range layers {
		if h.is(s) || h.encodedIn(s) {
			return true
		}
		inner := peel(s)
		if len(inner) == len(s) {
			return false
		}
		s = inner
	}
	return h.is(s)
}

// Fits reports whether a text of n bytes may hold the secret: In does not hold for a shorter one.
func (h *Hider) Fits(n int) bool { return h != nil && n >= len(h.plain) }

// InFold is In without regard to case and to other forms.
func (h *Hider) InFold(s string) bool {
	return h != nil && len(h.plain) >= shortest && len(s) >= len(h.plain) &&
		strings.Contains(strings.ToLower(s), strings.ToLower(h.plain))
}

func (h *Hider) is(s string) bool {
	if len(h.plain) < shortest {
		return s == h.plain
	}
	return strings.Contains(s, h.plain)
}

// encodedIn reports whether s holds the secret in base64 or hexadecimal.
func (h *Hider) encodedIn(s string) bool {
	n := len(h.plain)
	if n < shortest || !hasRun(s, n*4/3-2) {
		return false
	}
	if h.forms == nil {
		h.forms = base64Forms(h.plain)
		h.hex = hex.EncodeToString([]byte(h.plain))
	}
	for _, f := range h.forms {
		if strings.Contains(s, f) {
			return true
		}
	}
	return hasRun(s, 2*n) && strings.Contains(strings.ToLower(s), h.hex)
}

// hasRun reports whether s has n characters of base64 in a row. Such a row covers every n-th place of s, and most
// texts are told by these few.
func hasRun(s string, n int) bool {
	for at := n - 1; at < len(s); at += n {
		if !base64Chars[s[at]] {
			continue
		}
		from, to := at, at+1
		for from > 0 && base64Chars[s[from-1]] {
			from--
		}
		for to < len(s) && base64Chars[s[to]] {
			to++
		}
		if to-from >= n {
			return true
		}
	}
	return false
}

var base64Chars = func() (set [256]bool) {
	for _, c := range []byte("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/-_") {
		set[c] = true
	}
	return set
}()

// base64Forms are the characters that s alone decides, in both alphabets, for each of the three places at which it can
// begin within a group of three bytes.
func base64Forms(s string) []string {
	var forms []string
	for before := range 3 {
		text := base64.RawStdEncoding.EncodeToString(append(make([]byte, before), s...))
		end := (before + len(s)) * 8 / 6 // the character after it depends on what follows
		form := text[(before*8+5)/6 : end]
		forms = append(forms, form)
		if strings.ContainsAny(form, "+/") {
			forms = append(forms, strings.ReplaceAll(strings.ReplaceAll(form, "+", "-"), "/", "_"))
		}
	}
	return forms
}

// peel undoes one layer of percent-encoding, of escapes as in JSON, and of line breaks. What encodes nothing stays.
func peel(s string) string {
	has := func(c byte) bool { return strings.IndexByte(s, c) >= 0 }
	if !has('%') && !has('\\') && !has('\n') && !has('\r') {
		return s
	}
	b := make([]byte, 0, len(s))
	for i := 0; i < len(s); {
		switch c := s[i]; {
		case c == '%' && hexAt(s, i+1, 2) >= 0:
			b = append(b, byte(hexAt(s, i+1, 2)))
			i += 3
		case c == '\\' && i+1 < len(s) && s[i+1] == 'u' && hexAt(s, i+2, 4) >= 0:
			b = append(b, string(rune(hexAt(s, i+2, 4)))...)
			i += 6
		case c == '\\' && i+1 < len(s) && (s[i+1] == 'n' || s[i+1] == 'r'):
			i += 2
		case c == '\\' || c == '\r' || c == '\n':
			i++
		default:
			b = append(b, c)
			i++
		}
	}
	return string(b)
}

// hexAt is the number of n hexadecimal digits at i, or -1.
func hexAt(s string, i, n int) int {
	if len(s) < i+n {
		return -1
	}
	v, err := strconv.ParseUint(s[i:i+n], 16, 32)
	if err != nil {
		return -1
	}
	return int(v)
}
