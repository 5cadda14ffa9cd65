package clientcases

import (
	"strings"
	"sync"
)

// table is what was seen: a row a case, a column an application.
type table struct {
	mu    sync.Mutex
	apps  []string
	cells map[[2]string]string // by case and application
}

func (tb *table) set(name, app, text string) {
	tb.mu.Lock()
	defer tb.mu.Unlock()
	tb.cells[[2]string{name, app}] = text
}

func (tb *table) add(app string) {
	tb.mu.Lock()
	defer tb.mu.Unlock()
	tb.apps = append(tb.apps, app)
}

// String is the table in Markdown.
func (tb *table) String() string {
	tb.mu.Lock()
	defer tb.mu.Unlock()
	var b strings.Builder
	b.WriteString("| case | " + strings.Join(tb.apps, " | ") + " |\n|---" + strings.Repeat("|---", len(tb.apps)) +
		"|\n")
	for _, c := range cases() {
		b.WriteString("| " + c.name)
		for _, app := range tb.apps {
			cell := tb.cells[[2]string{c.name, app}]
			if cell == "" {
				cell = "not run"
			}
			b.WriteString(" | " + cell)
		}
		b.WriteString(" |\n")
	}
	return b.String()
}
