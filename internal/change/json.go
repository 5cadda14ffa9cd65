package change

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/go-json-experiment/json/jsontext"
)

// seal sets what is known at the end: the time it took, and the digest.
func (c *Change) seal(begun time.Time) error {
	c.Seconds = time.Since(begun).Round(time.Millisecond).Seconds()
	raw, err := json.Marshal(c)
	if err != nil {
		return fmt.Errorf("write the report: %w", err)
	}
	c.Digest, err = digestOf(raw)
	return err
}

// digestOf is the digest of a report over its canonical JSON (RFC 8785) without the member digest.
func digestOf(raw []byte) (string, error) {
	var members map[string]jsontext.Value
	if err := json.Unmarshal(raw, &members); err != nil {
		return "", fmt.Errorf("read the report: %w", err)
	}
	delete(members, "digest")
	rest, err := json.Marshal(members)
	if err != nil {
		return "", fmt.Errorf("read the report: %w", err)
	}
	value := jsontext.Value(rest)
	if err := value.Canonicalize(); err != nil {
		return "", fmt.Errorf("read the report: %w", err)
	}
	sum := sha256.Sum256(value)
	return "sha256:" + hex.EncodeToString(sum[:]), nil
}

// WriteJSON writes the report as one JSON object.
func (c *Change) WriteJSON(w io.Writer) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(c)
}

// Reviewed is what a signature of a reviewer refers to.
type Reviewed struct {
	// Digest is that of the report.
	Digest string
	// Outcome is that of the report.
	Outcome Outcome
	// New is the version that the report describes, Old the one that it is compared with.
	Old, New Version
	// Refused are the findings that were neither reviewed nor are plain: what the gate refuses.
	Refused []Finding
}

// Read reads a report that WriteJSON wrote, and checks that its digest is that of its content.
func Read(raw []byte) (Reviewed, error) {
	var c Change
	if err := json.Unmarshal(raw, &c); err != nil {
		return Reviewed{}, fmt.Errorf("read the report: %w", err)
	}
	if c.Format != Format {
		return Reviewed{}, fmt.Errorf("read the report: its format is %q, want %q, as sidecar bundle review "+
			"--format json writes it", c.Format, Format)
	}
	digest, err := digestOf(raw)
	if err != nil {
		return Reviewed{}, err
	}
	if digest != c.Digest {
		return Reviewed{}, errors.New("read the report: its digest is not that of its content: it was changed after " +
			"it was written")
	}
	return Reviewed{Digest: c.Digest, Outcome: c.Outcome, Old: c.Old, New: c.New,
		Refused: c.Refusing()}, nil
}
