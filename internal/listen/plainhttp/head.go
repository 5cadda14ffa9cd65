package plainhttp

import (
	"bufio"
	"bytes"
	"maps"
	"net/http"
	"strconv"
)

// head is the head of a request: its lines up to the empty one. The digits of Content-Length are apart, as they are
// what differs between the calls of a program.
type head struct {
	before, after []byte // of the digits; without Content-Length, all is before
	sized         bool   // there is Content-Length
	// request is the head as net/http reads it. Handlers see its header and URL, and change neither: see checkShared.
	request *http.Request
}

// mostDigits is the number of digits of the longest body that a connection has room for.
const mostDigits = 4

// begins reports whether what was read begins with this head, but for the length of the body.
func (h *head) begins(read []byte) (size, length int, ok bool) {
	if h.request == nil || !bytes.HasPrefix(read, h.before) {
		return 0, 0, false
	}
	if !h.sized {
		return len(h.before), 0, true
	}
	rest := read[len(h.before):]
	digits := 0
	for digits < len(rest) && isDigit(rest[digits]) {
		digits++
	}
	if !canonical(rest[:digits]) || !bytes.HasPrefix(rest[digits:], h.after) {
		return 0, 0, false
	}
	length, _ = strconv.Atoi(string(rest[:digits]))
	return len(h.before) + digits + len(h.after), length, true
}

// with is the request with a body of that length.
func (h *head) with(length int) *http.Request {
	if h.request.ContentLength != int64(length) {
		r := *h.request
		r.ContentLength = int64(length)
		r.Header = maps.Clone(r.Header)
		r.Header["Content-Length"] = []string{strconv.Itoa(length)}
		h.request = &r
	}
	return h.request
}

var lineEnd, headEnd = []byte("\r\n"), []byte("\r\n\r\n")

// parse reads a plain head. It is nil for one that is not plain.
func (s *Server) parse(text []byte) *head {
	at, ok := plain(text)
	if !ok {
		return nil
	}
	from, _ := s.readers.Get().(*bufio.Reader)
	if from == nil {
		from = bufio.NewReader(nil)
	}
	from.Reset(bytes.NewReader(text))
	r, err := http.ReadRequest(from)
	from.Reset(nil) // text is of the connection
	s.readers.Put(from)
	if err != nil {
		return nil
	}
	r.Body = nil // it reads from what is used again
	text = bytes.Clone(text)
	if at.from == at.to {
		return &head{before: text, request: r}
	}
	return &head{before: text[:at.from], after: text[at.to:], sized: true, request: r}
}

// span is a part of a text.
type span struct{ from, to int }

// plain reports whether a head, which ends with an empty line, leaves nothing to interpretation: GET or POST of
// HTTP/1.1 for a path, field lines of printable ASCII, one Host, one Content-Length at most, and nothing that says
// more about the message or the connection. length is where the digits of Content-Length are.
func plain(text []byte) (length span, ok bool) {
	line, _, _ := bytes.Cut(text, lineEnd)
	if !plainLine(line) {
		return span{}, false
	}
	hosts := 0
	for at := len(line) + len(lineEnd); ; at += len(line) + len(lineEnd) {
		line, _, ok = bytes.Cut(text[at:], lineEnd)
		if !ok || len(line) == 0 {
			return length, ok && hosts == 1
		}
		name, value, ok := bytes.Cut(line, []byte(":"))
		if !ok || len(name) == 0 || !all(name, isToken) || !all(value, isText) {
			return span{}, false
		}
		value = bytes.Trim(value, " \t")
		switch lower(name) {
		case "host":
			hosts++
			ok = len(value) > 0 && all(value, isHost)
		case "content-length":
			end := at + len(line)
			for end > at && !isDigit(text[end-1]) {
				end--
			}
			ok = length.to == 0 && canonical(value)
			length = span{end - len(value), end}
		case "connection":
			ok = bytes.EqualFold(value, []byte("keep-alive"))
		case "expect", "http2-settings", "te", "trailer", "transfer-encoding", "upgrade":
			ok = false
		}
		if !ok {
			return span{}, false
		}
	}
}

// opens reports whether a head of which the end has not come may still be plain. net/http answers the others before
// their end, or finds an end of another form.
func opens(text []byte) bool {
	line, _, whole := bytes.Cut(text, lineEnd)
	return (!whole || plainLine(line)) && bytes.Count(text, []byte("\n")) == bytes.Count(text, lineEnd)
}

// plainLine reports whether a request line is that of a plain call.
func plainLine(line []byte) bool {
	target, got := bytes.CutPrefix(line, []byte("GET /"))
	if !got {
		target, got = bytes.CutPrefix(line, []byte("POST /"))
	}
	target, ok := bytes.CutSuffix(target, []byte(" HTTP/1.1"))
	return got && ok && all(target, isVisible)
}

// longestName is the length of the longest name that plain looks for.
const longestName = len("transfer-encoding")

// lower is a name of a field in lower case, or "" for one that is too long to matter.
func lower(name []byte) string {
	if len(name) > longestName {
		return ""
	}
	return string(bytes.ToLower(name))
}

func all(text []byte, is func(byte) bool) bool {
	for _, c := range text {
		if !is(c) {
			return false
		}
	}
	return true
}

// canonical reports whether digits are those of the length of a body, without leading zero.
func canonical(digits []byte) bool {
	n := len(digits)
	return n == 1 && isDigit(digits[0]) || 1 < n && n <= mostDigits && all(digits, isDigit) && digits[0] != '0'
}

func isDigit(c byte) bool   { return '0' <= c && c <= '9' }
func isLetter(c byte) bool  { return 'a' <= c|0x20 && c|0x20 <= 'z' }
func isVisible(c byte) bool { return '!' <= c && c <= '~' }
func isText(c byte) bool    { return isVisible(c) || c == ' ' || c == '\t' }
func isHost(c byte) bool {
	return isLetter(c) || isDigit(c) || bytes.IndexByte([]byte(".-_:[]"), c) >= 0
}

// isToken is the rule tchar of RFC 9110, section 5.6.2.
func isToken(c byte) bool {
	return isLetter(c) || isDigit(c) || bytes.IndexByte([]byte("!#$%&'*+-.^_`|~"), c) >= 0
}
