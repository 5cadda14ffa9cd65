package mcp

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
)

// firstStateless is the first revision without sessions. Revisions are dates, so that they compare as text.
const firstStateless = "2026-07-28"

const versionHeader = "mcp-protocol-version"

// versionOf is the revision that the request names, or empty.
func versionOf(headers map[string][]string) (string, error) {
	values := headers[versionHeader]
	if len(values) == 0 {
		return "", nil
	}
	if len(values) > 1 || !isDate(values[0]) {
		return "", invalid(nil, "MCP-Protocol-Version is not one date")
	}
	return values[0], nil
}

// isDate reports whether s has the form of a revision: 2026-07-28.
func isDate(s string) bool {
	if len(s) != len(firstStateless) {
		return false
	}
	for i := range len(s) {
		dash := i == 4 || i == 7
		if dash != (s[i] == '-') || !dash && (s[i] < '0' || s[i] > '9') {
			return false
		}
	}
	return true
}

// speaks refuses a revision of an era that is not configured.
func (c Config) speaks(version string) error {
	era := sessions
	if version >= firstStateless {
		era = stateless
	}
	if slices.Contains(c.Eras, era) {
		return nil
	}
	return refusal(http.StatusBadRequest, unsupportedVersion, nil,
		fmt.Sprintf("unsupported protocol version: the server speaks the era %s", strings.Join(c.Eras, ", ")))
}

const sessionHeader = "mcp-session-id"

// sessionOf is the identifier of the session that the client names, or empty.
func sessionOf(headers map[string][]string) (string, error) {
	values := headers[sessionHeader]
	if len(values) == 0 {
		return "", nil
	}
	if len(values) > 1 || !isVisible(values[0]) {
		return "", invalid(nil, "Mcp-Session-Id is not one text of visible ASCII")
	}
	return values[0], nil
}

// isVisible reports whether s is of visible ASCII characters, and has one.
func isVisible(s string) bool {
	for i := range len(s) {
		if s[i] < 0x21 || s[i] > 0x7e {
			return false
		}
	}
	return s != ""
}
