package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/authz-sidecar/sidecar/internal/suggest"
)

// choice is a flag whose value is one of a few words. The help and the completion of shells show them.
type choice struct {
	text  *string
	words []string
}

// chooseFlag adds a flag that takes one of words, the first of which is its default.
func chooseFlag(cmd *cobra.Command, text *string, name, usage string, words ...string) {
	*text = words[0]
	cmd.Flags().Var(choice{text, words}, name, usage)
}

func (c choice) String() string {
	if c.text == nil {
		return ""
	}
	return *c.text
}

// Type stands behind the name of the flag in the help.
func (c choice) Type() string { return strings.Join(c.words, "|") }

func (c choice) Set(word string) error {
	if !slices.Contains(c.words, word) {
		last := len(c.words) - 1
		want := fmt.Sprintf("want %s or %s", strings.Join(c.words[:last], ", "), c.words[last])
		if near := suggest.Closest(word, c.words); near != "" {
			want += "; did you mean " + near + "?"
		}
		return errors.New(want)
	}
	*c.text = word
	return nil
}
