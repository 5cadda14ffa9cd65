package builtins

import (
	"slices"

	"github.com/open-policy-agent/opa/v1/ast"
)

// Unsafe reports whether a builtin reaches the network or the machine.
func Unsafe(name string) bool {
	return slices.Contains([]string{"http.send", "net.lookup_ip_addr", "opa.runtime"}, name)
}

// CallsUnsafe reports whether a compiled policy calls a builtin that reaches the network or the machine.
func CallsUnsafe(c *ast.Compiler) bool {
	return c.Required != nil && slices.ContainsFunc(c.Required.Builtins,
		func(b *ast.Builtin) bool { return Unsafe(b.Name) })
}
