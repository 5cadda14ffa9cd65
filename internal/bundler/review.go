package bundler

import (
	"fmt"
	"os"
	"strings"

	"github.com/authz-sidecar/sidecar/internal/bundle/archive"
	"github.com/authz-sidecar/sidecar/internal/bundle/signature"
	"github.com/authz-sidecar/sidecar/internal/change"
)

// OtherBundleError is about a report that describes another bundle than the one that is signed.
type OtherBundleError struct{ Report, Bundle, Digest string }

func (e *OtherBundleError) Error() string {
	return fmt.Sprintf("the report %q is not of this bundle: the digest of %s, %s, is not in it", e.Report, e.Bundle,
		e.Digest)
}

// UnreviewedError is about a report with findings for which the review ended as refused.
type UnreviewedError struct {
	Report   string
	Findings []string // identifier and title
}

func (e *UnreviewedError) Error() string {
	return fmt.Sprintf("the report %q has findings that were not reviewed:\n%s", e.Report,
		strings.Join(e.Findings, "\n"))
}

// maxReport bounds a report, in bytes.
const maxReport = 256 << 20

// ReadReview is what a signature says of a report of sidecar bundle review. The report must describe this very bundle,
// alone or beside other sources, else the error is an *OtherBundleError; and it must refuse nothing, else the error is
// an *UnreviewedError.
func ReadReview(file string, a *archive.Archive) (*signature.Review, error) {
	info, err := os.Stat(file)
	if err != nil {
		return nil, fmt.Errorf("read report %q: %w", file, cause(err))
	}
	if info.Size() > maxReport {
		return nil, fmt.Errorf("read report %q: it is over %d bytes", file, maxReport)
	}
	raw, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("read report %q: %w", file, cause(err))
	}
	report, err := change.Read(raw)
	if err != nil {
		return nil, fmt.Errorf("report %q: %w", file, err)
	}
	name, described := within(report.New, a.Digest)
	if !described {
		return nil, &OtherBundleError{Report: file, Bundle: a.Name, Digest: a.Digest}
	}
	if len(report.Refused) > 0 {
		open := &UnreviewedError{Report: file}
		for _, f := range report.Refused {
			open.Findings = append(open.Findings, f.ID+"  "+shown(f.Title))
		}
		return nil, open
	}
	return &signature.Review{Report: report.Digest, Old: bundleIn(report.Old, name)}, nil
}

// within reports whether a version is of the bundle with a content digest, and by which name.
func within(v change.Version, digest string) (name string, ok bool) {
	for _, s := range v.Sources {
		if s.Digest == digest {
			return s.Name, true
		}
	}
	return "", v.Covers == "bundle" && v.Digest == digest
}

// bundleIn is the content digest that a bundle had in the version before; empty when it is not known.
func bundleIn(v change.Version, name string) string {
	if v.Covers == "bundle" {
		return v.Digest
	}
	for _, s := range v.Sources {
		if s.Name == name {
			return s.Digest
		}
	}
	return ""
}
