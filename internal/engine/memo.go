package engine

import (
	"context"
	"sync"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/authz-sidecar/sidecar/internal/engine/builtins"
	"github.com/authz-sidecar/sidecar/internal/engine/term"
)

// memo remembers what an Offline policy answered to an input, for the recorded questions that are alike: a log holds
// many. An answer that depends on time or random values is not remembered. The key is all that the policy can read, in
// full. It is safe for concurrent use; nil remembers nothing.
type memo struct {
	mu      sync.Mutex
	answers map[string]ast.Value
	bytes   int
}

// maxMemoBytes bounds the keys of a memo.
const maxMemoBytes = 16 << 20

func (m *memo) eval(ctx context.Context, e *preparedRule, in ast.Value, how evalOptions) (ast.Value, error) {
	if m == nil || how.print != nil {
		return e.eval(ctx, in, how)
	}
	key, err := term.AppendJSON(append(make([]byte, 0, 1024), e.path...), in)
	if err != nil {
		return e.eval(ctx, in, how)
	}
	m.mu.Lock()
	value := m.answers[string(key)]
	m.mu.Unlock()
	if value != nil {
		return value, nil
	}
	notes := &builtins.Notes{}
	how.cancel = notes
	value, err = e.eval(ctx, in, how)
	if err == nil && value != nil && !notes.Varies() {
		m.keep(string(key), value)
	}
	return value, err
}

func (m *memo) keep(key string, value ast.Value) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.bytes += len(key); m.answers == nil || m.bytes > maxMemoBytes {
		m.answers, m.bytes = map[string]ast.Value{}, len(key)
	}
	m.answers[key] = value
}
