package telemetry

import (
	"bytes"
	"io"
	"slices"
	"unicode/utf8"
)

// Visible returns JSON with the characters escaped that change how a terminal shows the text around them: DEL, the C1
// controls, and the marks, embeddings, overrides and isolates of writing direction. The value of the JSON is the same.
// Where there are none it returns json itself; what is not UTF-8 is copied.
func Visible(json []byte) []byte {
	if !slices.ContainsFunc(leads[:], func(lead byte) bool { return bytes.IndexByte(json, lead) >= 0 }) {
		return json // most lines: a search for four bytes is faster than a look at each
	}
	var out []byte
	kept := 0
	for i := 0; i < len(json); {
		if json[i] < 0x7f {
			i++
			continue
		}
		r, n := utf8.DecodeRune(json[i:])
		if directs(r) {
			const digits = "0123456789abcdef"
			out = append(out, json[kept:i]...)
			out = append(out, '\\', 'u', digits[r>>12&15], digits[r>>8&15], digits[r>>4&15], digits[r&15])
			kept = i + n
		}
		i += n
	}
	if kept == 0 {
		return json
	}
	return append(out, json[kept:]...)
}

// leads are the bytes with which the characters that directs knows begin in UTF-8.
var leads = [...]byte{0x7f, 0xc2, 0xd8, 0xe2}

func directs(r rune) bool {
	switch {
	case 0x7f <= r && r <= 0x9f, r == 0x061c, r == 0x200e, r == 0x200f, 0x202a <= r && r <= 0x202e, 0x2066 <= r &&
		r <= 0x2069:
		return true
	}
	return false
}

// visible writes JSON lines as Visible has them.
type visible struct{ to io.Writer }

func (v visible) Write(line []byte) (int, error) {
	if _, err := v.to.Write(Visible(line)); err != nil {
		return 0, err
	}
	return len(line), nil
}
