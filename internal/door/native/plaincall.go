package native

import (
	"bytes"
	"strings"
	"sync"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/door"
	"github.com/authz-sidecar/sidecar/internal/httpuri"
	"github.com/authz-sidecar/sidecar/internal/secret"
)

// plainCall reads the ordinary form of a call in one pass. It is false for everything that it does not know to be a
// valid call, whatever the reason: then the body is read anew by reflection, which finds the fault if there is one.
// What it accepts is read there as the same query, which a fuzz test holds. The query shares no memory with body.
func plainCall(body []byte) (q authz.Query, ok bool) {
	r, _ := plainReaders.Get().(*plainReader)
	if r == nil {
		r = new(plainReader)
	}
	r.body = body
	if r.call() && !r.method.empty() && !r.url.empty() && !(r.hasToken && r.token.empty()) {
		q, ok = r.query()
	}
	clear(r.fields[:r.nFields])
	clear(r.values[:r.nValues])
	r.plainParts, r.plainJSON = plainParts{}, plainJSON{}
	plainReaders.Put(r)
	return q, ok
}

// plainReaders holds zero plainReaders: to clear the few headers that a call has costs less than to make a new one.
var plainReaders sync.Pool

// Bounds of a plain call.
const (
	mostFields = 32
	mostValues = 40
	// longText is the length from which on a text has memory of its own, as credentials have. Shorter ones share
	// theirs: the decision log keeps some of them until it has written them, and must not keep much more by that.
	longText = 64
)

// text is a string of a body: from and to, or what they were decoded to.
type text struct {
	from, to int
	own      string
}

func (t *text) empty() bool { return t.from == t.to && t.own == "" }

// field is a header whose values end at upTo. known is the name when it is a door.CommonName.
type field struct {
	name  text
	known string
	upTo  int
}

// plainReader reads a plain call.
type plainReader struct {
	plainJSON
	plainParts
	fields [mostFields]field
	values [mostValues]text
}

// plainParts are what a plain call has besides its headers.
type plainParts struct {
	// shared is the length of all texts without memory of their own.
	shared int
	// alone is set while what is read is a credential.
	alone bool

	method, url, source, certificate, payload, token text

	hasHeaders, hasPayload, hasToken bool

	context []byte

	nFields, nValues int
}

// Members that were seen. A second one of a name is a fault.
const (
	seenRequest = 1 << iota
	seenToken
	seenContext
	seenMethod
	seenURL
	seenHeaders
	seenSource
	seenCertificate
	seenBody
)

// call reads the whole body.
func (r *plainReader) call() bool {
	seen := 0
	ok := r.object(func(name []byte) bool {
		switch string(name) {
		case "request":
			return once(&seen, seenRequest) && r.request()
		case "token":
			r.alone = true
			ok := once(&seen, seenToken) && (r.null() || r.text(&r.token, &r.hasToken))
			r.alone = false
			return ok
		case "context":
			return once(&seen, seenContext) && (r.null() || r.freeObject())
		}
		return false
	})
	return ok && r.ended() && seen&seenRequest != 0
}

// once notes a member, and is false the second time.
func once(seen *int, member int) bool {
	again := *seen&member != 0
	*seen |= member
	return !again
}

func (r *plainReader) request() bool {
	seen, there := 0, false
	return r.object(func(name []byte) bool {
		switch string(name) {
		case "method":
			return once(&seen, seenMethod) && r.text(&r.method, &there)
		case "url":
			return once(&seen, seenURL) && r.text(&r.url, &there)
		case "headers":
			return once(&seen, seenHeaders) && (r.null() || r.headers())
		case "source_ip":
			return once(&seen, seenSource) && (r.null() || r.text(&r.source, &there))
		case "client_certificate":
			return once(&seen, seenCertificate) && (r.null() || r.text(&r.certificate, &there))
		case "body":
			return once(&seen, seenBody) && (r.null() || r.text(&r.payload, &r.hasPayload))
		}
		return false
	})
}

// headers reads an object of arrays of texts.
func (r *plainReader) headers() bool {
	r.hasHeaders = true
	return r.object(func(name []byte) bool {
		if r.nFields == mostFields {
			return false
		}
		f := &r.fields[r.nFields]
		r.nFields++
		f.upTo = r.nValues
		if f.known = door.CommonName(name); f.known == "" {
			r.keep(&f.name, name)
		}
		r.alone = f.known == "authorization" || f.known == "cookie" || f.known == "dpop"
		ok := r.array(func() bool {
			if r.nValues == mostValues {
				return false
			}
			r.nValues++
			there := false
			return r.text(&r.values[r.nValues-1], &there)
		})
		some := r.nValues > f.upTo
		f.upTo, r.alone = r.nValues, false
		return ok && some // whether none is nil or empty is up to the other reader
	})
}

// text reads a string into t.
func (r *plainReader) text(t *text, there *bool) bool {
	quoted, escaped, ok := r.quoted()
	if !ok {
		return false
	}
	*there = true
	if !escaped {
		r.keep(t, quoted)
		return true
	}
	decoded, err := jsontext.AppendUnquote(nil, r.body[r.at-len(quoted)-2:r.at])
	t.own = string(decoded)
	return err == nil
}

// keep sets t to the string that was read last.
func (r *plainReader) keep(t *text, quoted []byte) {
	if r.alone || len(quoted) >= longText {
		t.own = string(quoted)
		return
	}
	t.to = r.ends
	t.from = t.to - len(quoted)
	r.shared += len(quoted)
}

// freeObject reads the context.
func (r *plainReader) freeObject() bool {
	r.space()
	from := r.at
	if !r.free(0) || r.body[from] != '{' {
		return false
	}
	r.context = r.body[from:r.at]
	return readable(r.context, "") == nil
}

// query is what was read.
func (r *plainReader) query() (authz.Query, bool) {
	var shared strings.Builder
	shared.Grow(r.shared)
	of := func(t *text) string {
		if t.from == t.to {
			return t.own
		}
		from := shared.Len()
		shared.Write(r.body[t.from:t.to])
		return shared.String()[from:]
	}
	q := authz.Query{Request: authz.Request{Method: of(&r.method), URL: of(&r.url), SourceIP: of(&r.source),
		ClientCertificate: of(&r.certificate), Body: of(&r.payload), HasBody: r.hasPayload}}
	if r.hasToken {
		q.Token = secret.New(r.token.own)
	}
	if r.context != nil {
		q.Context = bytes.Clone(r.context)
	}
	if !r.hasHeaders {
		return q, true
	}
	values := make([]string, r.nValues)
	for i := range values {
		values[i] = of(&r.values[i])
	}
	q.Request.Headers = make(map[string][]string, r.nFields)
	for i := range r.fields[:r.nFields] {
		f, from := &r.fields[i], 0
		if i > 0 {
			from = r.fields[i-1].upTo
		}
		name := f.known
		if name == "" {
			name = httpuri.Lower(of(&f.name))
		}
		if _, again := q.Request.Headers[name]; again {
			return authz.Query{}, false // two of one name, or of names that differ in case
		}
		q.Request.Headers[name] = values[from:f.upTo:f.upTo]
	}
	return q, true
}
