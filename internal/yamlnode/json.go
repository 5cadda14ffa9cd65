package yamlnode

import (
	"encoding/json"
	"math"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
	"go.yaml.in/yaml/v3"

	"github.com/authz-sidecar/sidecar/internal/jsonbound"
)

// JSON returns the JSON value that n stands for, in the types map[string]any, []any, string, bool, nil and
// json.Number. Numbers keep their spelling where JSON has it; dates are strings. What JSON cannot express is an error:
// infinity, binary data, tags of one's own, and members with a flaw.
func (n *Node) JSON() (any, *Error) {
	switch n.Kind {
	case Mapping:
		m := make(map[string]any, len(n.Members))
		for _, member := range n.Members {
			if member.Flaw != None {
				return nil, member.Key.error(member.Complaint())
			}
			v, err := member.Value.JSON()
			if err != nil {
				return nil, err
			}
			m[member.Key.Text] = v
		}
		return m, nil
	case List:
		a := make([]any, 0, len(n.Items))
		for _, item := range n.Items {
			v, err := item.JSON()
			if err != nil {
				return nil, err
			}
			a = append(a, v)
		}
		return a, nil
	}
	return n.scalar()
}

func (n *Node) error(message string) *Error { return &Error{n.Line, n.Column, message} }

func (n *Node) scalar() (any, *Error) {
	switch n.Kind {
	case Text, Date:
		return n.Text, nil
	case Null:
		switch n.Text {
		case "", "~", "null", "Null", "NULL":
			return nil, nil
		}
		return nil, n.error("is not null")
	case Bool:
		switch n.Text {
		case "true", "True", "TRUE":
			return true, nil
		case "false", "False", "FALSE":
			return false, nil
		}
		return nil, n.error("is not a boolean")
	case Int, Float:
		return n.number()
	}
	return nil, n.error("the tag " + n.Tag + " is not known")
}

// number keeps the spelling when JSON has it too, so that no digit is lost.
func (n *Node) number() (any, *Error) {
	v := jsontext.Value(n.Text)
	if v.IsValid() && v.Kind() == jsontext.KindNumber {
		if !jsonbound.Number(strings.TrimSpace(n.Text)) {
			return nil, n.error(jsonbound.TooLarge)
		}
		return json.Number(strings.TrimSpace(n.Text)), nil
	}
	digits := strings.TrimLeft(n.Text, "+-")
	if len(digits) > 1 && digits[0] == '0' && strings.Trim(digits, "0123456789_") == "" {
		return nil, n.error("a number that begins with 0 is read as octal (010 is 8): " +
			"quote it where it is a text, write 0o10 where octal is meant")
	}
	var x any
	if err := (&yaml.Node{Kind: yaml.ScalarNode, Tag: n.Tag, Value: n.Text}).Decode(&x); err != nil {
		return nil, n.error("is not a number")
	}
	switch x := x.(type) {
	case int:
		return json.Number(strconv.Itoa(x)), nil
	case int64:
		return json.Number(strconv.FormatInt(x, 10)), nil
	case uint64:
		return json.Number(strconv.FormatUint(x, 10)), nil
	case float64:
		if !math.IsInf(x, 0) && !math.IsNaN(x) {
			return json.Number(strconv.FormatFloat(x, 'g', -1, 64)), nil
		}
	}
	return nil, n.error("is not a number that JSON has")
}
