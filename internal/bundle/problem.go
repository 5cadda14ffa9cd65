package bundle

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// The codes of problems. They are a closed set that programs may switch on.
const (
	// CodeDirectory: a configured directory is missing, holds no policy, or is another configured one.
	CodeDirectory = "directory_error"
	// CodeRead: a file cannot be read, or is not a file.
	CodeRead = "read_error"
	// CodeLimit: there is more than the limits allow.
	CodeLimit = "limit_error"
	// CodeName: a file has a name that would be ignored by accident.
	CodeName = "name_error"
	// CodeChanging: the files change while they are read.
	CodeChanging = "changing_error"
	// CodeData: a data file is not well-formed.
	CodeData = "data_error"
	// CodeManifest: a manifest is missing, misplaced, or wrong.
	CodeManifest = "manifest_error"
	// CodeConflict: two data files write the same path under data.
	CodeConflict = "conflict_error"
	// CodeRoots: data is outside the roots of its bundle or inside those of another, or roots of two bundles overlap.
	CodeRoots = "roots_error"
	// CodeArchive: an archive is damaged, or OPA would read it otherwise than this package.
	CodeArchive = "archive_error"
	// CodeSignature: a bundle has no signature that its source demands, or one that does not hold.
	CodeSignature = "signature_error"
)

// Problem is one thing that is wrong with policy files.
type Problem struct {
	// File is a path as in File.Path; a directory when no single file is wrong.
	File string
	// Row and Col count from 1, in lines and characters; both are 0 when the problem is with the file as a whole.
	Row, Col int
	// Code is one of the constants above.
	Code string
	// Message is lower case, without a full stop.
	Message string
}

// String returns "file:row:col: code: message", without the numbers when they are not known.
func (p Problem) String() string {
	if p.Row == 0 {
		return p.File + ": " + p.Code + ": " + p.Message
	}
	return fmt.Sprintf("%s:%d:%d: %s: %s", p.File, p.Row, p.Col, p.Code, p.Message)
}

// Problems is everything that is wrong, sorted by file and position. It is the error of Build.
type Problems []Problem

// Error returns one line a problem.
func (ps Problems) Error() string {
	lines := make([]string, len(ps))
	for i, p := range ps {
		lines[i] = p.String()
	}
	return strings.Join(lines, "\n")
}

// Sorted returns the problems in their order, each once.
func (ps Problems) Sorted() Problems {
	out := slices.Clone(ps)
	slices.SortFunc(out, func(a, b Problem) int {
		return cmp.Or(
			cmp.Compare(a.File, b.File),
			cmp.Compare(a.Row, b.Row),
			cmp.Compare(a.Col, b.Col),
			cmp.Compare(a.Code, b.Code),
			cmp.Compare(a.Message, b.Message),
		)
	})
	return slices.Compact(out)
}

// Add appends a problem with a file as a whole.
func (ps *Problems) Add(file, code, format string, args ...any) {
	*ps = append(*ps, Problem{File: file, Code: code, Message: fmt.Sprintf(format, args...)})
}

// in returns p with the file and the code, which a parser does not know.
func (p *Problem) in(file, code string) Problem {
	return Problem{File: file, Row: p.Row, Col: p.Col, Code: code, Message: p.Message}
}
