//go:build bench

package bench

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"time"
)

// conn asks one question over and over on one connection that is kept alive. It speaks just enough HTTP/1.1 for that:
// with net/http the generator would cost more than the servers it measures, on processors that it shares with them.
type conn struct {
	c       net.Conn
	r       *bufio.Reader
	request []byte
	body    []byte
	// wants is in the body of an allow.
	wants []byte
}

// answerIn is the longest any answer may take; a server that hangs ends the run.
const answerIn = 10 * time.Second

func dial(address string, request []byte) (*conn, error) {
	c, err := net.DialTimeout("tcp", address, answerIn)
	if err != nil {
		return nil, err
	}
	return &conn{c: c, r: bufio.NewReaderSize(c, 16<<10), request: request, wants: allowed}, nil
}

func (c *conn) close() { _ = c.c.Close() }

// request writes a POST of a JSON body as it goes over the wire.
func request(path string, body []byte) []byte {
	head := "POST " + path + " HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: " +
		strconv.Itoa(len(body)) + "\r\n\r\n"
	return append([]byte(head), body...)
}

var (
	statusOK      = []byte("HTTP/1.1 200 ")
	contentLength = []byte("Content-Length: ")
	allowed       = []byte(`"allow":true`)
)

// ask sends the question and returns the body of the answer, which is good until the next call.
func (c *conn) ask() ([]byte, error) {
	if _, err := c.c.Write(c.request); err != nil {
		return nil, err
	}
	line, err := c.r.ReadSlice('\n')
	if err != nil {
		return nil, err
	}
	if !bytes.HasPrefix(line, statusOK) {
		return nil, fmt.Errorf("answered %q", bytes.TrimSpace(line))
	}
	n := -1
	for {
		if line, err = c.r.ReadSlice('\n'); err != nil {
			return nil, err
		}
		if len(line) == 2 {
			break
		}
		if v, ok := bytes.CutPrefix(line, contentLength); ok {
			if n, err = strconv.Atoi(string(bytes.TrimSpace(v))); err != nil {
				return nil, err
			}
		}
	}
	if n < 0 {
		return nil, errors.New("answered without Content-Length")
	}
	if cap(c.body) < n {
		c.body = make([]byte, n)
	}
	c.body = c.body[:n]
	_, err = io.ReadFull(c.r, c.body)
	return c.body, err
}

// check asks, and wants to be allowed.
func (c *conn) check() error {
	body, err := c.ask()
	if err == nil && !bytes.Contains(body, c.wants) {
		err = errors.New("answered something other than an allow")
	}
	return err
}
