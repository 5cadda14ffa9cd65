//go:build real

package realtest

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"sync"
	"text/tabwriter"
)

// none stands in a column that a server cannot fill.
const none = "-"

// The columns of the closing table: what a server has of the kinds of tokens and answers, and how soon a revocation is
// felt with cache.ttl 1s, in milliseconds. Beside them, how the sidecar authenticated.
const (
	opaqueColumn  = "opaque"
	jwtColumn     = "JWT"
	dpopColumn    = "DPoP"
	mtlsColumn    = "mTLS"
	signedColumn  = "signed response"
	revokedColumn = "revocation felt after ms"
	authColumn    = "client authentication"
)

// closingColumns and drillColumns are the two halves of the table.
func closingColumns() []string {
	return []string{opaqueColumn, jwtColumn, dpopColumn, mtlsColumn, signedColumn, revokedColumn, authColumn}
}

func drillColumns() []string {
	return []string{"scope", "audience", "tenant", "refresh token", "ID token", "revoked", "wrong secret"}
}

// table is what happened, a row for a server.
type table struct {
	mu      sync.Mutex
	servers []string
	cells   map[[2]string]string
}

// results is what all tests saw. TestMain prints it when they are over.
var results = &table{cells: map[[2]string]string{}}

// set fills a cell.
func (tb *table) set(server, column, text string) {
	if !slices.Contains(append(closingColumns(), drillColumns()...), column) {
		panic("the table has no column " + column)
	}
	tb.mu.Lock()
	defer tb.mu.Unlock()
	if !slices.Contains(tb.servers, server) {
		tb.servers = append(tb.servers, server)
	}
	tb.cells[[2]string{server, column}] = text
}

// lacks says that a server has no such things.
func (tb *table) lacks(server string, columns ...string) {
	for _, c := range columns {
		tb.set(server, c, none)
	}
}

// gaps are the cells that are empty: something was not looked at, without a reason.
func (tb *table) gaps() []string {
	tb.mu.Lock()
	defer tb.mu.Unlock()
	var empty []string
	for _, s := range tb.servers {
		for _, c := range append(closingColumns(), drillColumns()...) {
			if tb.cells[[2]string{s, c}] == "" {
				empty = append(empty, s+": "+c)
			}
		}
	}
	return empty
}

// String is empty when nothing happened.
func (tb *table) String() string {
	tb.mu.Lock()
	defer tb.mu.Unlock()
	if len(tb.servers) == 0 {
		return ""
	}
	return tb.half(closingColumns()) + "\n" + tb.half(drillColumns())
}

func (tb *table) half(columns []string) string {
	var b bytes.Buffer
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintln(w, "server\t"+strings.Join(columns, "\t"))
	for _, s := range tb.servers {
		row := s
		for _, c := range columns {
			cell := tb.cells[[2]string{s, c}]
			if cell == "" {
				cell = "NOT SEEN"
			}
			row += "\t" + cell
		}
		_, _ = fmt.Fprintln(w, row)
	}
	_ = w.Flush()
	return b.String()
}
