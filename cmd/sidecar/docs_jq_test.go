package main

import (
	"encoding/json"
	"fmt"
	"os"
	"strconv"
	"strings"
)

// jq is as much of jq as pages use: -r, and a path such as .issuers[0].name.
func jq(args []string) int {
	raw := false
	path := "."
	for _, arg := range args {
		if arg == "-r" {
			raw = true
		} else {
			path = arg
		}
	}
	var value any
	if err := json.NewDecoder(os.Stdin).Decode(&value); err != nil {
		fmt.Fprintln(os.Stderr, "jq:", err)
		return 2
	}
	for _, name := range strings.FieldsFunc(path, func(c rune) bool { return strings.ContainsRune(".[]", c) }) {
		switch in := value.(type) {
		case map[string]any:
			value = in[name]
		case []any:
			i, err := strconv.Atoi(name)
			if err != nil || i >= len(in) {
				fmt.Fprintf(os.Stderr, "jq: what is %q?\n", name)
				return 3
			}
			value = in[i]
		default:
			fmt.Fprintf(os.Stderr, "jq: nothing has %q\n", name)
			return 5
		}
	}
	if text, ok := value.(string); ok && raw {
		fmt.Println(text)
		return 0
	}
	out := json.NewEncoder(os.Stdout)
	out.SetEscapeHTML(false)
	out.SetIndent("", "  ")
	if err := out.Encode(value); err != nil {
		return 2
	}
	return 0
}
