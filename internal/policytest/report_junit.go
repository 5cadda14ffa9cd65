package policytest

import (
	"encoding/xml"
	"fmt"
	"io"
	"strings"
	"time"
)

// The XML of a Report, as CI servers read it: testsuites/testsuite/testcase.
type (
	junitReport struct {
		XMLName  xml.Name     `xml:"testsuites"`
		Tests    int          `xml:"tests,attr"`
		Failures int          `xml:"failures,attr"`
		Skipped  int          `xml:"skipped,attr"`
		Time     string       `xml:"time,attr"`
		Suites   []junitSuite `xml:"testsuite"`
	}
	junitSuite struct {
		Name     string      `xml:"name,attr"`
		Tests    int         `xml:"tests,attr"`
		Failures int         `xml:"failures,attr"`
		Skipped  int         `xml:"skipped,attr"`
		Time     string      `xml:"time,attr"`
		Cases    []junitCase `xml:"testcase"`
	}
	junitCase struct {
		Class   string        `xml:"classname,attr"`
		Name    string        `xml:"name,attr"`
		File    string        `xml:"file,attr"`
		Line    int           `xml:"line,attr"`
		Time    string        `xml:"time,attr"`
		Failure *junitFailure `xml:"failure,omitempty"`
		Skipped *struct{}     `xml:"skipped,omitempty"`
		Out     string        `xml:"system-out,omitempty"`
	}
	junitFailure struct {
		Message string `xml:"message,attr"`
		Text    string `xml:",chardata"`
	}
)

// WriteJUnit writes r in the XML of JUnit, a test suite a file.
func (r Report) WriteJUnit(w io.Writer) error {
	out := junitReport{Tests: len(r.Results), Time: seconds(r.Took)}
	_, out.Failures, out.Skipped = r.count()
	for _, f := range r.byFile() {
		s := junitSuite{Name: f.file, Tests: len(f.results), Time: seconds(f.took)}
		_, s.Failures, s.Skipped = Report{Results: f.results}.count()
		for _, t := range f.results {
			s.Cases = append(s.Cases, junitCaseOf(t))
		}
		out.Suites = append(out.Suites, s)
	}
	if _, err := io.WriteString(w, xml.Header); err != nil {
		return err
	}
	e := xml.NewEncoder(w)
	e.Indent("", "  ")
	if err := e.Encode(out); err != nil {
		return err
	}
	_, err := io.WriteString(w, "\n")
	return err
}

func junitCaseOf(t Result) junitCase {
	c := junitCase{Class: t.Group, Name: t.Name, File: t.File, Line: t.Row, Time: seconds(t.Took)}
	text := strings.Join(t.Output, "\n")
	switch t.Outcome {
	case Failed:
		first, _, _ := strings.Cut(text, "\n")
		c.Failure = &junitFailure{Message: first, Text: fmt.Sprintf("%s:%d\n%s", t.File, t.Row, text)}
	case Skipped:
		c.Skipped = &struct{}{}
	case Passed:
		c.Out = text
	}
	return c
}

func seconds(d time.Duration) string { return fmt.Sprintf("%.6f", d.Seconds()) }
