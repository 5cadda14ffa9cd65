package clientcases

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"
)

// dialogue answers one call after the other on a connection, and leaves it open until the end of t. Each answer allows
// what was asked, and has its target in the context.
func dialogue(t *testing.T, say func(w io.Writer, answer string)) http.HandlerFunc {
	t.Helper()
	return func(w http.ResponseWriter, r *http.Request) {
		c, rw, err := http.NewResponseController(w).Hijack()
		if err != nil {
			panic(err) // an HTTP/1.1 server that this package started
		}
		defer context.AfterFunc(t.Context(), func() { _ = c.Close() })()
		defer func() { _ = c.Close() }()
		for err == nil {
			body, failed := io.ReadAll(r.Body)
			if failed != nil {
				return // the application left
			}
			say(c, allowAbout(body))
			r, err = http.ReadRequest(rw.Reader)
		}
	}
}

// allowAbout is a whole message that allows what was asked.
func allowAbout(call []byte) string {
	var q question
	if err := json.Unmarshal(call, &q); err != nil {
		panic(err) // of a client
	}
	about, err := json.Marshal(map[string]string{"asked": q.Request.URL})
	if err != nil {
		panic(err) // texts
	}
	body := decision(`"context":` + string(about))
	return fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", len(body),
		body)
}

// shortly is the time in which a client that takes the wrong bytes for its answer has asked the next question.
const shortly = 150 * time.Millisecond

// ownAnswers are answers with something before or behind them, or late: no later request gets them.
func ownAnswers(t *testing.T, d *driver) {
	for name, say := range map[string]func(w io.Writer, answer string){
		"interim answers": func(w io.Writer, answer string) {
			_, _ = io.WriteString(w, "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n")
			time.Sleep(shortly)
			_, _ = io.WriteString(w, answer)
		},
		"two answers": func(w io.Writer, answer string) { _, _ = io.WriteString(w, answer+answer) },
		"an answer without a body before it": func(w io.Writer, answer string) {
			_, _ = io.WriteString(w, "HTTP/1.1 204 No Content\r\n\r\n"+answer)
		},
		"a body that is longer than it": func(w io.Writer, answer string) {
			_, _ = io.WriteString(w, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"+answer)
		},
	} {
		t.Run(name, func(t *testing.T) {
			d.front.answer(dialogue(t, say))
			for i := range 2 {
				d.own(t, d.addr, i)
			}
		})
	}
	t.Run("an answer while the connection is idle", func(t *testing.T) {
		said := make(chan bool, 10)
		d.front.answer(dialogue(t, func(w io.Writer, answer string) {
			_, _ = io.WriteString(w, answer)
			time.Sleep(shortly)
			_, _ = io.WriteString(w, answer)
			said <- true
		}))
		for i := range 2 {
			d.own(t, d.addr, i)
			select {
			case <-said:
			case <-time.After(time.Second): // the client saw the answer before it asked, and asked nothing
			}
			time.Sleep(shortly)
		}
	})
	t.Run("late answers", func(t *testing.T) {
		d.front.answer(dialogue(t, func(w io.Writer, answer string) {
			time.Sleep(hurry + shortly)
			_, _ = io.WriteString(w, answer)
		}))
		for i := range 2 {
			d.own(t, d.hurried, i)
		}
	})
	d.recovers(t)
}

// own checks that a request is refused, or let through by the answer to the question about it.
func (d *driver) own(t *testing.T, addr string, i int) {
	t.Helper()
	r := d.order()
	r.target = fmt.Sprintf("/orders/%d", i)
	a := d.to(t, addr, r)
	if a.status == http.StatusServiceUnavailable {
		return
	}
	if asked, _ := a.seen(t).Context["asked"].(string); !strings.HasSuffix(asked, r.target) {
		t.Errorf("%s is let through by the answer to %s", r.target, asked)
	}
}
