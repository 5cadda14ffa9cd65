package opa

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"mime"
	"net/http"
	"strconv"
	"strings"

	"github.com/authz-sidecar/sidecar/internal/door"
	"github.com/authz-sidecar/sidecar/internal/yamlnode"
)

// read decodes the body of a call into a value, which stays as it is without a body: JSON, or YAML by its media type,
// compressed by gzip or not. Members that are not known are ignored where the input is the caller's own, as OPA does.
// Its error is a *door.CallError.
func (d *data) read(r *http.Request, at place, into any) error {
	decode := door.Decode
	if at.own != nil {
		decode = door.DecodeKnown
	}
	return d.body(r, func(body []byte) error {
		if len(bytes.TrimSpace(body)) == 0 && at.own != nil {
			return nil
		}
		switch media, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); {
		case err == nil && media == "application/json":
			return decode(body, into)
		case err == nil && isYAML(media):
			written, err := d.fromYAML(body)
			if err != nil {
				return err
			}
			defer clear(written)
			return decode(written, into)
		default:
			return door.NotJSON(media)
		}
	})
}

func isYAML(media string) bool {
	switch media {
	case "application/yaml", "application/x-yaml", "text/yaml", "text/x-yaml", "text/vnd.yaml":
		return true
	}
	return false
}

// body reads the bytes of a body, within the limit as they come and decompressed. See door.Bodies.Bytes.
func (d *data) body(r *http.Request, use func([]byte) error) error {
	switch r.Header.Get("Content-Encoding") {
	case "", "identity":
		return d.Bytes(r.Body, use)
	case "gzip", "x-gzip":
		return d.Bytes(r.Body, func(compressed []byte) error {
			broken := door.NewCallError(http.StatusBadRequest, "bad_gzip",
				"the body is not compressed by gzip, as its Content-Encoding says", "")
			z, err := gzip.NewReader(bytes.NewReader(compressed))
			if err != nil {
				return broken
			}
			read := false
			err = d.Bytes(z, func(body []byte) error {
				read = true
				return use(body)
			})
			if e, ok := errors.AsType[*door.CallError](err); ok && !read && e.Status == http.StatusBadRequest {
				return broken
			}
			return err
		})
	}
	return door.NewCallError(http.StatusUnsupportedMediaType, "unsupported_media_type",
		"want a body with Content-Encoding: gzip, or without any", "")
}

// fromYAML is the JSON that a document of YAML stands for.
func (d *data) fromYAML(body []byte) ([]byte, error) {
	node, failed := yamlnode.Parse(body)
	if failed != nil {
		return nil, badYAML(failed)
	}
	if node == nil {
		return []byte("null"), nil
	}
	// Aliases repeat their texts: each is written out.
	if textOf(node) > d.Limits.BodyBytes {
		return nil, door.NewCallError(http.StatusRequestEntityTooLarge, "body_too_large",
			"the body is over "+strconv.FormatInt(d.Limits.BodyBytes, 10)+" bytes with its aliases written out", "")
	}
	value, failed := node.JSON()
	if failed != nil {
		return nil, badYAML(failed)
	}
	return json.Marshal(value)
}

// badYAML quotes nothing of the body: it holds tokens.
func badYAML(e *yamlnode.Error) *door.CallError {
	message := fmt.Sprintf("the body is not well-formed YAML at row %d, column %d", e.Line, e.Column)
	if !strings.ContainsAny(e.Message, "\"'`") {
		message += ": " + e.Message
	}
	return door.NewCallError(http.StatusBadRequest, "bad_yaml", message, "")
}

// textOf is the number of bytes of all texts of a document, those of aliases each time.
func textOf(n *yamlnode.Node) int64 {
	total := int64(len(n.Text))
	for _, item := range n.Items {
		total += textOf(item)
	}
	for _, m := range n.Members {
		total += int64(len(m.Key.Text)) + textOf(m.Value)
	}
	return total
}
