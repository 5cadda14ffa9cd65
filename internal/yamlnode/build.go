package yamlnode

import "go.yaml.in/yaml/v3"

// builder turns the nodes of yaml.v3 into nodes without aliases.
type builder struct {
	alias    *yaml.Node // the outermost alias around what is built; nil when there is none
	expanded int        // values that were built for aliases
}

func (b *builder) node(n *yaml.Node, depth int) (*Node, *Error) {
	tag := n.ShortTag()
	out := &Node{Kind: kindOf(n, tag), Tag: tag, Line: n.Line, Column: n.Column}
	if b.alias != nil {
		out.Line, out.Column = b.alias.Line, b.alias.Column
		b.expanded++
	}
	switch {
	case depth > maxNesting:
		return nil, &Error{out.Line, out.Column, "values are nested more than 256 levels deep"}
	case b.expanded > maxExpansion:
		return nil, &Error{out.Line, out.Column, "aliases stand for more than 100000 values"}
	case n.Kind == yaml.AliasNode && b.alias == nil:
		b.alias = n
		target, err := b.node(n.Alias, depth+1)
		b.alias = nil
		return target, err
	case n.Kind == yaml.AliasNode:
		return b.node(n.Alias, depth+1)
	}
	var err *Error
	switch out.Kind {
	case Mapping:
		out.Members, err = b.members(n, depth)
	case List:
		for _, item := range n.Content {
			var built *Node
			if built, err = b.node(item, depth+1); err != nil {
				break
			}
			out.Items = append(out.Items, built)
		}
	default:
		out.Text, out.Quoted = n.Value, n.Style&(yaml.SingleQuotedStyle|yaml.DoubleQuotedStyle) != 0
	}
	if err != nil {
		return nil, err
	}
	return out, nil
}

func (b *builder) members(n *yaml.Node, depth int) ([]Member, *Error) {
	members := make([]Member, 0, len(n.Content)/2)
	lines := make(map[string]int, len(n.Content)/2)
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, err := b.node(n.Content[i], depth+1)
		if err != nil {
			return nil, err
		}
		value, err := b.node(n.Content[i+1], depth+1)
		if err != nil {
			return nil, err
		}
		m := Member{Key: key, Value: value, First: lines[key.Text]}
		switch {
		case key.Tag == "!!merge":
			m.Flaw = MergeKey
		case key.Kind != Text:
			m.Flaw = NotText
		case m.First != 0:
			m.Flaw = Duplicate
		default:
			lines[key.Text] = key.Line
		}
		members = append(members, m)
	}
	return members, nil
}

func kindOf(n *yaml.Node, tag string) Kind {
	switch {
	case n.Kind == yaml.MappingNode && tag == "!!map":
		return Mapping
	case n.Kind == yaml.SequenceNode && tag == "!!seq":
		return List
	case n.Kind != yaml.ScalarNode:
		return Other
	}
	switch tag {
	case "!!str", "!!merge": // "<<" that is not a key is text
		return Text
	case "!!int":
		return Int
	case "!!float":
		return Float
	case "!!bool":
		return Bool
	case "!!null":
		return Null
	case "!!timestamp":
		return Date
	}
	return Other
}
