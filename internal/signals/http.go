package signals

import (
	"errors"
	"fmt"
	"io"
	"net/http"

	"github.com/go-json-experiment/json"
)

// MaxTokenBytes bounds one signal.
const MaxTokenBytes = 64 << 10

// ReadBody returns a body of at most limit bytes. Its errors quote nothing.
func ReadBody(r *http.Request, limit int64) (string, error) {
	b, err := io.ReadAll(io.LimitReader(r.Body, limit+1))
	switch {
	case int64(len(b)) > limit:
		return "", fmt.Errorf("read event: it is over %d bytes", limit)
	case err != nil:
		return "", errors.New("read event: it broke off")
	}
	return string(b), nil
}

// WriteJSON answers with v.
func WriteJSON(w http.ResponseWriter, status int, v any) {
	b, err := json.Marshal(v, json.Deterministic(true))
	if err != nil {
		w.WriteHeader(http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(b) // fails when the sender is gone
}
