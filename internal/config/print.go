package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/authz-sidecar/sidecar/internal/conf"
)

// Print writes c to w as YAML that Parse reads back to an equal configuration: every key, in the order of the
// documentation, durations as "5s". A Config holds no secret, only the file or variable that each one is in.
func Print(c *Config, w io.Writer) error {
	var b bytes.Buffer
	e := yaml.NewEncoder(&b)
	e.SetIndent(2)
	if err := errors.Join(e.Encode(node(reflect.ValueOf(c).Elem())), e.Close()); err != nil {
		return fmt.Errorf("print configuration: %v", err)
	}
	if _, err := w.Write(b.Bytes()); err != nil {
		return fmt.Errorf("print configuration: %w", err)
	}
	return nil
}

func node(v reflect.Value) *yaml.Node {
	switch {
	case conf.IsDuration(v.Type()):
		return plain("!!str", conf.Duration(time.Duration(v.Int())))
	case v.Kind() == reflect.Struct:
		return structNode(v)
	case v.Kind() == reflect.Map:
		n := &yaml.Node{Kind: yaml.MappingNode, Tag: "!!map"}
		entries := v.Interface().(map[string]string)
		for _, k := range slices.Sorted(maps.Keys(entries)) {
			n.Content = append(n.Content, text(k), text(entries[k]))
		}
		return n
	case v.Kind() == reflect.Slice:
		n := &yaml.Node{Kind: yaml.SequenceNode, Tag: "!!seq"}
		for i := range v.Len() {
			n.Content = append(n.Content, node(v.Index(i)))
		}
		return n
	case v.Kind() == reflect.String:
		return text(v.String())
	case v.Kind() == reflect.Bool:
		return plain("!!bool", strconv.FormatBool(v.Bool()))
	case v.Kind() == reflect.Float64:
		return plain("", strconv.FormatFloat(v.Float(), 'g', -1, 64))
	}
	return plain("!!int", strconv.FormatInt(v.Int(), 10))
}

// structNode leaves out the unused member of a secret.Source: two members would be a fault.
func structNode(v reflect.Value) *yaml.Node {
	n := &yaml.Node{Kind: yaml.MappingNode, Tag: "!!map"}
	for _, f := range conf.Fields(v.Type()) {
		if conf.IsSource(v.Type()) && v.FieldByIndex(f.Index).IsZero() {
			continue
		}
		n.Content = append(n.Content, plain("!!str", f.Name), node(v.FieldByIndex(f.Index)))
	}
	return n
}

func plain(tag, value string) *yaml.Node {
	return &yaml.Node{Kind: yaml.ScalarNode, Tag: tag, Value: value}
}

// text quotes s unless every YAML reader takes it for a string.
func text(s string) *yaml.Node {
	n := plain("!!str", s)
	if !regexp.MustCompile(`^[a-z][a-z0-9]*[_/-][a-z0-9_/-]*$|^[a-z]{4,}$`).MatchString(s) || s == "true" ||
		s == "false" || s == "null" {
		n.Style = yaml.DoubleQuotedStyle
	}
	return n
}
