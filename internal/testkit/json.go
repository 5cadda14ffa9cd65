package testkit

import "encoding/json"

// IsJSON reports whether a value has only the types of decoded JSON whose numbers are json.Number.
func IsJSON(v any) bool {
	switch v := v.(type) {
	case map[string]any:
		for _, e := range v {
			if !IsJSON(e) {
				return false
			}
		}
	case []any:
		for _, e := range v {
			if !IsJSON(e) {
				return false
			}
		}
	case string, bool, nil, json.Number:
	default:
		return false
	}
	return true
}
