package policytest

import (
	"fmt"
	"io"
	"strings"
	"time"
)

// Detail says how much of a Report is printed for people.
type Detail uint8

// Brief prints a line a file and what failed; Full prints each test.
const (
	Brief Detail = iota
	Full
)

// WritePretty writes r for people: a line a file, below it what failed or printed, and a last line of totals.
func (r Report) WritePretty(w io.Writer, detail Detail) error {
	var b strings.Builder
	for _, file := range r.byFile() {
		file.write(&b, detail)
	}
	if c := r.Coverage; c != nil {
		b.WriteString("coverage:\n")
		for line := range strings.SplitSeq(c.String(), "\n") {
			b.WriteString("  " + line + "\n")
		}
	}
	passed, failed, skipped := r.count()
	fmt.Fprintf(&b, "%d %s: %d passed, %d failed, %d skipped, in %s\n", len(r.Results), tests(len(r.Results)),
		passed, failed, skipped, r.Took.Round(time.Millisecond))
	_, err := io.WriteString(w, b.String())
	return err
}

func tests(n int) string {
	if n == 1 {
		return "test"
	}
	return "tests"
}

func (r Report) count() (passed, failed, skipped int) {
	for _, t := range r.Results {
		switch t.Outcome {
		case Passed:
			passed++
		case Failed:
			failed++
		case Skipped:
			skipped++
		}
	}
	return passed, failed, skipped
}

// fileReport is the results of one file, in their order.
type fileReport struct {
	file    string
	results []Result
	took    time.Duration
}

func (r Report) byFile() []fileReport {
	var files []fileReport
	for _, t := range r.Results {
		if len(files) == 0 || files[len(files)-1].file != t.File {
			files = append(files, fileReport{file: t.File})
		}
		last := &files[len(files)-1]
		last.results = append(last.results, t)
		last.took += t.Took
	}
	return files
}

func (f fileReport) write(b *strings.Builder, detail Detail) {
	_, failed, skipped := Report{Results: f.results}.count()
	head, count := "ok   ", fmt.Sprintf("%d %s", len(f.results), tests(len(f.results)))
	if failed > 0 {
		head, count = "FAIL ", fmt.Sprintf("%d of %s failed", failed, count)
	}
	if skipped > 0 {
		count += fmt.Sprintf(", %d skipped", skipped)
	}
	fmt.Fprintf(b, "%s %s  %s\n", head, f.file, count)
	for _, t := range f.results {
		if detail == Brief && t.Outcome == Passed {
			continue
		}
		fmt.Fprintf(b, "    %-7s %s/%s (%s:%d)", t.Outcome, t.Group, t.Name, t.File, t.Row)
		if detail == Full {
			fmt.Fprintf(b, "  %s", t.Took.Round(10*time.Microsecond))
		}
		b.WriteByte('\n')
		for _, line := range t.Output {
			b.WriteString("        " + line + "\n")
		}
	}
}
