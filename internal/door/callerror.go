// Package door has what the doors of the sidecar have in common: how the JSON of a call is read, and what is wrong
// with a call. It knows no framework.
package door

import (
	"errors"
	"net/http"
)

// CallError is what is wrong with a call, as opposed to with the request that the call asks about. It is never a
// decision.
type CallError struct {
	// Status is that of HTTP.
	Status int `json:"-"`
	// Code is for programs, Message for people; Pointer is the JSON pointer of the member at fault, or empty.
	Code    string `json:"code"`
	Message string `json:"message"`
	Pointer string `json:"pointer"`
	// RetryAfter is the value of the header of that name, or empty.
	RetryAfter string `json:"-"`
}

// NewCallError returns a CallError. pointer may be empty.
func NewCallError(status int, code, message, pointer string) *CallError {
	return &CallError{Status: status, Code: code, Message: message, Pointer: pointer}
}

func (e *CallError) Error() string {
	if e.Pointer == "" {
		return e.Message
	}
	return e.Pointer + ": " + e.Message
}

// AsCallError returns the CallError that err is, or that of a bug.
func AsCallError(err error) *CallError {
	if e, ok := errors.AsType[*CallError](err); ok {
		return e
	}
	return NewCallError(http.StatusInternalServerError, "internal_error", "the sidecar failed", "")
}
