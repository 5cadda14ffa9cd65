package bundle

import "github.com/authz-sidecar/sidecar/internal/yamlnode"

// decodeYAML reads one YAML document as the JSON value that it stands for.
func decodeYAML(raw []byte) (any, *Problem) {
	top, err := yamlnode.Parse(raw)
	switch {
	case err != nil:
		return nil, problemAt(err.Line, err.Column, err.Message)
	case top == nil:
		return nil, problemAt(1, 1, isEmpty)
	}
	value, err := top.JSON()
	if err != nil {
		return nil, problemAt(err.Line, err.Column, err.Message)
	}
	return value, nil
}

// locateYAML finds the key of a member by its path.
func locateYAML(raw []byte, at []string) (row, col int) {
	node, _ := yamlnode.Parse(raw)
	var key *yamlnode.Node
	for _, name := range at {
		if key, node = member(node, name); key == nil {
			return 0, 0
		}
	}
	if key == nil {
		return 0, 0
	}
	return key.Line, key.Column
}

func member(n *yamlnode.Node, name string) (key, value *yamlnode.Node) {
	if n != nil {
		for _, m := range n.Members {
			if m.Key.Text == name {
				return m.Key, m.Value
			}
		}
	}
	return nil, nil
}
