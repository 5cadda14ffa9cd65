package input

import (
	"fmt"

	"github.com/go-json-experiment/json"
)

// Parse reads the JSON form of a document back: AppendJSON of the result is the same JSON. A document with members
// that this version does not know is refused, because policies could decide by them.
func Parse(b []byte) (*Document, error) {
	var d Document
	if err := json.Unmarshal(b, &d, json.RejectUnknownMembers(true)); err != nil {
		return nil, fmt.Errorf("read document: %w", err)
	}
	if d.Version != Version {
		return nil, fmt.Errorf("read document: it has version %d, this sidecar reads %d", d.Version, Version)
	}
	return &d, nil
}
