//go:build race

package plainhttp

import (
	"reflect"
	"slices"
	"strconv"
)

// checkShared ends the program when the handler has changed the head of its call, which is that of the next call too.
// The tests of all doors come by here, as they run with the race detector.
func (c *conn) checkShared() {
	if c.last.changed(c.server) {
		go panic("a handler changed the head of its call, which the next call has too") // serve recovers from others
	}
}

// changed reports whether the request is not what its text says.
func (h *head) changed(s *Server) bool {
	text := h.before
	if h.sized {
		text = slices.Concat(h.before, strconv.AppendInt(nil, h.request.ContentLength, 10), h.after)
	}
	was, is := s.parse(text).request, *h.request
	is.RemoteAddr = was.RemoteAddr
	return !reflect.DeepEqual(was, &is)
}
