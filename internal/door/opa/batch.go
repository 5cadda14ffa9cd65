package opa

import (
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"strconv"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/authz-sidecar/sidecar/internal/door"
)

// batchItem is the answer to one input of a batch: a response, or an error with its status in a text.
type batchItem struct {
	*response
	*failure
	Status string `json:"http_status_code,omitempty"`
}

// batch serves POST /v1/batch/data/PATH: {"inputs": {NAME: INPUT}} is answered by {"responses": {NAME: ...}}. The
// status is 207 where some inputs have an error, and 500 where the sidecar could answer none.
func (d *data) batch(r *http.Request) (reply, *failure) {
	at, failed := d.place(r, batchPath)
	if failed != nil {
		return reply{}, failed
	}
	var in struct {
		Inputs map[string]jsontext.Value `json:"inputs"`
	}
	if err := d.read(r, place{}, &in); err != nil {
		return reply{}, failureOf(err, "")
	}
	switch n := len(in.Inputs); {
	case n == 0:
		return reply{}, failureOf(door.NewCallError(http.StatusBadRequest, "missing_member",
			"want an object of one input at least", "/inputs"), "")
	case n > d.deps.Limits.BatchItems:
		return reply{}, failureOf(door.NewCallError(http.StatusRequestEntityTooLarge, "batch_too_large",
			"a batch has at most "+strconv.Itoa(d.deps.Limits.BatchItems)+" inputs", "/inputs"), "")
	}
	out, faults, unanswered := map[string]batchItem{}, 0, 0
	for _, name := range slices.Sorted(maps.Keys(in.Inputs)) {
		of, raw, failed := d.ask(r, at, in.Inputs[name], door.SafePointer(
			jsontext.Pointer("/inputs").AppendToken(name)))
		if failed != nil {
			faults++
			if failed.Status >= http.StatusInternalServerError {
				unanswered++
			}
			out[name] = batchItem{failure: failed, Status: strconv.Itoa(failed.Status)}
			continue
		}
		answer := responseOf(of, raw)
		out[name] = batchItem{response: &answer}
	}
	status := http.StatusOK
	switch {
	case faults == 0:
	case unanswered == len(out):
		status = http.StatusInternalServerError
	default:
		status = http.StatusMultiStatus
		for name, item := range out {
			if item.failure == nil {
				item.Status = strconv.Itoa(http.StatusOK)
				out[name] = item
			}
		}
	}
	body, err := json.Marshal(map[string]any{"responses": out})
	if err != nil {
		return reply{}, failureOf(err, "")
	}
	return reply{status: status, body: body}, nil
}
