package decisionlog

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
)

// MaxEventBytes is the longest line that a Reader takes for an event.
const MaxEventBytes = 32 << 20

// Reader reads a decision log of any length, an event a line. Lines that hold something else, such as those of the
// sidecar's own log in the same stream, and a last line that is not written to its end, are left to the caller.
type Reader struct {
	in   *bufio.Reader
	err  error
	text []byte
	line int
	buf  []byte
}

// NewReader returns a reader of in, which may be compressed by gzip, as rotated files are.
func NewReader(in io.Reader) *Reader {
	r := &Reader{in: bufio.NewReaderSize(in, 64<<10)}
	if magic, _ := r.in.Peek(2); bytes.Equal(magic, []byte{0x1f, 0x8b}) {
		z, err := gzip.NewReader(r.in)
		if err != nil {
			r.err = fmt.Errorf("decompress: %w", err)
			return r
		}
		r.in = bufio.NewReaderSize(z, 64<<10)
	}
	return r
}

// Containing makes r pass over lines without text, unread.
func (r *Reader) Containing(text string) *Reader {
	r.text = []byte(text)
	return r
}

// LineError is a line that is no event. Reading goes on after it.
type LineError struct {
	Line int
	Err  error
}

func (e *LineError) Error() string { return fmt.Sprintf("line %d: %v", e.Line, e.Err) }
func (e *LineError) Unwrap() error { return e.Err }

// Next returns the next event, io.EOF at the end, and a *LineError for a line that is no event. Blank lines are passed
// over.
func (r *Reader) Next() (*Event, error) {
	for {
		line, number, err := r.Line()
		if err != nil {
			return nil, err
		}
		if !bytes.Contains(line, r.text) {
			continue
		}
		e, err := ParseEvent(line)
		if err != nil {
			return nil, &LineError{number, err}
		}
		e.Line = number
		return e, nil
	}
}

// Line returns the next line that is not blank, without the blanks around it, and its number from 1: for those who
// parse events elsewhere. It is good until the next call. Errors are those of Next.
func (r *Reader) Line() ([]byte, int, error) {
	for r.err == nil {
		line, err := r.readLine()
		switch {
		case err == nil && len(line) > 0:
			return line, r.line, nil
		case err == nil:
			continue
		}
		if _, ok := errors.AsType[*LineError](err); ok {
			return nil, r.line, err
		}
		r.err = err
	}
	return nil, r.line, r.err
}

// readLine returns the next line without the blanks around it, good until the next call.
func (r *Reader) readLine() ([]byte, error) {
	r.buf = r.buf[:0]
	r.line++
	length := 0
	for {
		part, err := r.in.ReadSlice('\n')
		if length += len(part); length <= MaxEventBytes {
			r.buf = append(r.buf, part...)
		}
		switch {
		case errors.Is(err, bufio.ErrBufferFull):
			continue
		case err != nil && (length == 0 || !errors.Is(err, io.EOF)):
			return nil, err
		case length > MaxEventBytes:
			return nil, &LineError{r.line, fmt.Errorf("it is longer than %d bytes", MaxEventBytes)}
		}
		if r.line == 1 {
			r.buf = bytes.TrimPrefix(r.buf, []byte("\ufeff"))
		}
		return bytes.TrimSpace(r.buf), nil
	}
}
