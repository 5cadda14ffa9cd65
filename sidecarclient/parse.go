package sidecarclient

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"

	"github.com/authz-sidecar/sidecar/sidecarclient/internal/strictjson"
)

// parseDecision reads a decision from JSON that strictjson.Check has passed. Every member must be there, with its
// type; members that are not known are left out, for sidecars that are newer.
func parseDecision(b []byte) (Decision, error) {
	members, err := strictjson.Object(b)
	if err != nil {
		return Decision{}, err
	}
	var d Decision
	for _, m := range []struct {
		name string
		read func(json.RawMessage) error
	}{
		{"decision_id", into(&d.ID)},
		{"allow", into(&d.Allow)},
		{"kind", into(&d.Kind)},
		{"status", into(&d.Status)},
		{"reasons", d.readReasons},
		{"headers", headersInto(&d.Headers)},
		{"upstream_headers", headersInto(&d.UpstreamHeaders)},
		{"context", d.readContext},
		{"policy", d.Policy.read},
	} {
		value, there := members[m.name]
		if !there {
			return Decision{}, fmt.Errorf("member %s is missing", m.name)
		}
		if err := m.read(value); err != nil {
			return Decision{}, fmt.Errorf("member %s: %w", m.name, err)
		}
	}
	if err := d.check(); err != nil {
		return Decision{}, err
	}
	return d, nil
}

func parseBatch(b []byte, want int) ([]Decision, error) {
	members, err := strictjson.Object(b)
	if err != nil {
		return nil, err
	}
	var items []json.RawMessage
	if err := into(&items)(members["items"]); err != nil {
		return nil, fmt.Errorf("member items: %w", err)
	}
	if len(items) != want {
		return nil, fmt.Errorf("%d decisions for %d requests", len(items), want)
	}
	ds := make([]Decision, want)
	for i, item := range items {
		if ds[i], err = parseDecision(item); err != nil {
			return nil, fmt.Errorf("decision %d: %w", i, err)
		}
	}
	return ds, nil
}

var null = []byte("null")

// into reads a value that has the type of v and is not null.
func into[T any](v *T) func(json.RawMessage) error {
	return func(b json.RawMessage) error {
		if len(b) == 0 || bytes.Equal(b, null) || json.Unmarshal(b, v) != nil {
			return errors.New("is missing or has the wrong type")
		}
		return nil
	}
}

// headersInto reads an object of arrays of strings that HTTP can carry.
func headersInto(h *http.Header) func(json.RawMessage) error {
	return func(b json.RawMessage) error {
		members, err := strictjson.Object(b)
		if err != nil {
			return err
		}
		*h = make(http.Header, len(members))
		for name, raw := range members {
			var values []*string
			if err := into(&values)(raw); err != nil || !validName(name) {
				return errors.New("want header names with arrays of strings")
			}
			key := http.CanonicalHeaderKey(name)
			if (*h)[key] == nil {
				(*h)[key] = []string{}
			}
			for _, v := range values {
				if v == nil || !validValue(*v) {
					return errors.New("a value is not that of a header")
				}
				(*h)[key] = append((*h)[key], *v)
			}
		}
		return nil
	}
}

func (d *Decision) readReasons(b json.RawMessage) error {
	var items []json.RawMessage
	if err := into(&items)(b); err != nil {
		return err
	}
	for _, item := range items {
		members, err := strictjson.Object(item)
		if err != nil {
			return err
		}
		r := Reason{Object: item}
		if err := into(&r.Code)(members["code"]); err != nil {
			return fmt.Errorf("code %w", err)
		}
		if m, there := members["message"]; there && into(&r.Message)(m) != nil {
			return errors.New("message has the wrong type")
		}
		d.Reasons = append(d.Reasons, r)
	}
	return nil
}

func (d *Decision) readContext(b json.RawMessage) error {
	members, err := strictjson.Object(b)
	if err != nil {
		return err
	}
	d.Context = b
	list, there := members["obligations"]
	if !there {
		return nil
	}
	var items []json.RawMessage
	if err := into(&items)(list); err != nil {
		return fmt.Errorf("obligations: %w", err)
	}
	for _, item := range items {
		members, err := strictjson.Object(item)
		if err != nil {
			return fmt.Errorf("an obligation is %w", err)
		}
		o := Obligation{Object: item}
		// Without a type of its own an obligation is one that no handler knows.
		_, _ = into(&o.Type)(members["type"]), into(&o.ID)(members["id"])
		d.Obligations = append(d.Obligations, o)
	}
	return nil
}

func (p *Policy) read(b json.RawMessage) error {
	members, err := strictjson.Object(b)
	if err != nil {
		return err
	}
	return errors.Join(into(&p.Path)(members["path"]), into(&p.Revision)(members["revision"]),
		into(&p.Digest)(members["digest"]))
}
