package devissuer

import (
	"mime"
	"net/http"
	"net/url"
)

// problem is an OAuth error answer: RFC 6749 section 5.2. Its texts are fixed: nothing that came in goes out again.
type problem struct {
	status      int
	code        string
	description string
}

func invalidRequest(description string) *problem {
	return &problem{status: http.StatusBadRequest, code: "invalid_request", description: description}
}

// work answers a well-formed request of a party that is known; an empty answer has no body.
type work func(r *http.Request, who *party, form url.Values) ([]byte, *problem)

// endpoint does what all POST endpoints have in common: it reads the form, authenticates the caller against known,
// and forbids caches.
func endpoint(known map[string]*party, do work) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		form, p := readForm(r)
		if p != nil {
			refuse(w, p)
			return
		}
		who, p := authenticate(known, r, form)
		if p != nil {
			refuse(w, p)
			return
		}
		answer, p := do(r, who, form)
		if p != nil {
			refuse(w, p)
			return
		}
		write(w, http.StatusOK, answer)
	}
}

func refuse(w http.ResponseWriter, p *problem) {
	body, err := encode(map[string]string{"error": p.code, "error_description": p.description})
	if err != nil { // texts of this package are valid UTF-8
		panic(err)
	}
	if p.status == http.StatusUnauthorized {
		w.Header().Set("WWW-Authenticate", `Basic realm="development issuer", charset="UTF-8"`)
	}
	write(w, p.status, body)
}

func write(w http.ResponseWriter, status int, body []byte) {
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Pragma", "no-cache")
	if len(body) > 0 {
		w.Header().Set("Content-Type", "application/json")
	}
	w.WriteHeader(status)
	_, _ = w.Write(body) // a client that left needs no answer
}

// readForm reads the parameters of the body. Each may be there once, but for the target parameters of RFC 8707; one
// without a value counts as absent (RFC 6749 section 3.2). A query is refused: tokens and secrets do not belong in
// a URL.
func readForm(r *http.Request) (url.Values, *problem) {
	if r.URL.RawQuery != "" {
		return nil, invalidRequest("parameters belong in the body, not in the URL")
	}
	if media, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil ||
		media != "application/x-www-form-urlencoded" {
		return nil, invalidRequest("the body must be application/x-www-form-urlencoded")
	}
	if err := r.ParseForm(); err != nil {
		return nil, invalidRequest("the body is not a well-formed form")
	}
	form := r.PostForm
	for name, values := range form {
		if len(values) > 1 && name != "resource" && name != "audience" {
			return nil, invalidRequest("a parameter is given twice")
		}
		if len(values) == 1 && values[0] == "" {
			form.Del(name)
		}
	}
	return form, nil
}
