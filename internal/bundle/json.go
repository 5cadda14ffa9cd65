package bundle

import (
	"bytes"
	"errors"
	"io"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/authz-sidecar/sidecar/internal/jsonbound"
)

// decodeJSON reads one JSON value (RFC 8259), strictly: no duplicate members, no invalid UTF-8, nothing after it.
// Numbers keep their spelling. A byte order mark before it is left out, which RFC 8259 section 8.1 lets a reader do.
func decodeJSON(raw []byte) (value any, problem *Problem) {
	raw = withoutBOM(raw)
	r := newJSONReader(raw, goValues{})
	problem = onlyValue(raw, r.Decoder, func() (err error) {
		value, err = r.value()
		return err
	})
	return value, problem
}

// makeOfChecked makes a value of JSON that checkJSON has found nothing wrong with.
func makeOfChecked[V any](raw []byte, m Maker[V]) (V, error) {
	// There are no duplicate names, and looking for them takes memory.
	r := newJSONReader(withoutBOM(raw), m, jsontext.AllowDuplicateNames(true))
	r.checked = true
	return r.value()
}

// checkJSON finds what decodeJSON finds wrong, and makes no values.
func checkJSON(raw []byte) *Problem {
	raw = withoutBOM(raw)
	dec := decoderOf(raw)
	return onlyValue(raw, dec, func() error {
		for {
			if _, err := checkedToken(dec); err != nil || dec.StackDepth() == 0 {
				return err
			}
		}
	})
}

func decoderOf(raw []byte, options ...jsontext.Options) *jsontext.Decoder {
	return jsontext.NewDecoder(bytes.NewBuffer(raw), options...)
}

// onlyValue reads a value, after which there must be nothing.
func onlyValue(raw []byte, dec *jsontext.Decoder, read func() error) *Problem {
	if len(bytes.TrimSpace(raw)) == 0 {
		return problemAt(1, 1, isEmpty)
	}
	if err := read(); err != nil {
		return jsonProblem(raw, dec, err)
	}
	start := nextToken(raw, dec)
	switch _, err := dec.ReadToken(); {
	case err == nil:
		row, col := position(raw, start)
		return problemAt(row, col, "there is something after the value")
	case !errors.Is(err, io.EOF):
		return jsonProblem(raw, dec, err)
	}
	return nil
}

// problemAt is a problem of a file that its parser does not know.
func problemAt(row, col int, message string) *Problem {
	return &Problem{Row: row, Col: col, Message: message}
}

// withoutBOM is raw without a byte order mark (U+FEFF) at its beginning.
func withoutBOM(raw []byte) []byte { return bytes.TrimPrefix(raw, []byte("\uFEFF")) }

// outOfRange is a number at an offset that no policy could compare.
type outOfRange struct{ offset int64 }

func (outOfRange) Error() string { return jsonbound.TooLarge }

// jsonProblem turns an error of the decoder into a message that is the same on each run, which its Error is not.
func jsonProblem(raw []byte, dec *jsontext.Decoder, err error) *Problem {
	offset, message := dec.InputOffset(), err.Error()
	if se, ok := errors.AsType[*jsontext.SyntacticError](err); ok {
		offset, message = se.ByteOffset, se.Err.Error()
		if errors.Is(se.Err, jsontext.ErrDuplicateName) {
			message = "duplicate member " + strconv.Quote(se.JSONPointer.LastToken())
		}
	}
	if number, ok := errors.AsType[outOfRange](err); ok {
		offset = number.offset
	}
	if errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) {
		offset, message = int64(len(bytes.TrimRight(raw, " \t\r\n"))), "the file ends too early"
	}
	row, col := position(raw, offset)
	return problemAt(row, col, strings.TrimPrefix(message, "jsontext: "))
}

// locateJSON finds the name of a member, or an element, by its path.
func locateJSON(raw []byte, at []string) (row, col int) {
	raw = withoutBOM(raw)
	var want jsontext.Pointer
	for _, k := range at {
		want = want.AppendToken(k)
	}
	dec := jsontext.NewDecoder(bytes.NewReader(raw))
	for {
		start := nextToken(raw, dec)
		if _, err := dec.ReadToken(); err != nil {
			return 0, 0
		}
		if dec.StackPointer() == want {
			return position(raw, start)
		}
	}
}

// nextToken returns the offset of the token that is read next.
func nextToken(raw []byte, dec *jsontext.Decoder) int64 {
	rest := raw[dec.InputOffset():]
	return int64(len(raw) - len(bytes.TrimLeft(rest, " \t\r\n,:")))
}

// position turns an offset in bytes into a line and a character in it, both from 1.
func position(raw []byte, offset int64) (row, col int) {
	head := raw[:min(max(offset, 0), int64(len(raw)))]
	line := bytes.LastIndexByte(head, '\n') + 1
	return bytes.Count(head, []byte{'\n'}) + 1, utf8.RuneCount(head[line:]) + 1
}
