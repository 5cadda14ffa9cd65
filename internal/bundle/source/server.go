package source

import (
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"log/slog"
	"mime"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/oauth"
)

// bundleType is the media type by which a server says that it takes part in OPA's long polling.
const bundleType = "application/vnd.openpolicyagent.bundles"

// maxRedirects is how many redirects of one download are followed, all of them on the server itself.
const maxRedirects = 5

// server is an HTTP server that speaks as OPA's bundle servers do: ETag and If-None-Match, and Prefer for long
// polling.
type server struct {
	cfg  Config
	http *oauth.Server
	as   oauth.Proof
	sign func(*http.Request) error // that of oauth.AsPrepared
}

func newServer(cfg Config, log *slog.Logger) (*server, error) {
	s := &server{cfg: cfg}
	var err error
	if s.as, s.sign, err = credentials(cfg, cfg.URL); err != nil {
		return nil, err
	}
	s.http, err = oauth.New(cfg.server(cfg.URL), oauth.Deps{Log: log})
	return s, err
}

func (s *server) close() { s.http.Close() }

func (s *server) ask(ctx context.Context, tag string, wait time.Duration) (answer, error) {
	header := http.Header{
		"Accept": {bundleType + ", application/gzip, application/octet-stream, */*;q=0.5"},
		// Named here, so that the archive comes as it is stored: net/http would unpack one that is stored with
		// Content-Encoding gzip.
		"Accept-Encoding": {"gzip"},
	}
	prefer := "modes=snapshot"
	if wait > 0 {
		prefer += ";wait=" + strconv.Itoa(max(int(wait/time.Second), 1))
	}
	header.Set("Prefer", prefer)
	if tag != "" {
		header.Set("If-None-Match", tag)
	}
	r, err := s.follow(ctx, header)
	if err != nil {
		return answer{}, err
	}
	switch r.Status {
	case http.StatusOK:
		return s.answered(r)
	case http.StatusNotModified:
		if tag == "" {
			return answer{}, r.Refuse(authz.Unavailable, "it says that nothing has changed, and was not asked that")
		}
		return answer{tag: tag, waits: s.waits(r, wait)}, nil
	}
	return answer{}, r.Unexpected(s.why(r))
}

// waits reports whether a server takes part in long polling. A 304 has often no media type: the server that is asked
// to wait said that it does.
func (s *server) waits(r oauth.Reply, wait time.Duration) bool {
	return s.cfg.Poll.Wait > 0 && (r.MediaType() == bundleType || r.Status == http.StatusNotModified && wait > 0)
}

// why says what an operator can do about a status.
func (s *server) why(r oauth.Reply) string {
	switch r.Status {
	case http.StatusUnauthorized, http.StatusForbidden:
		return "it does not let the sidecar read the archive"
	case http.StatusNotFound, http.StatusGone:
		return "there is no archive at this URL"
	}
	if r.Status >= 300 && r.Status < 400 {
		return "it leads elsewhere, and redirects to other servers are not followed: name the URL it leads to"
	}
	return "no archive"
}

// follow downloads the archive, over redirects that stay on the server.
func (s *server) follow(ctx context.Context, header http.Header) (oauth.Reply, error) {
	from := s.cfg.URL
	for range maxRedirects {
		r, err := s.http.Download(ctx, oauth.Download{
			URL: from, Header: header, MaxBytes: s.cfg.MaxBytes, As: s.as, Prepare: s.sign,
		})
		if err != nil {
			return r, err
		}
		next, ok := sameServer(from, r)
		if !ok {
			return r, nil
		}
		from = next
	}
	return oauth.Reply{}, authz.Errorf(authz.Misconfigured, "download %q: more than %d redirects", s.cfg.Name,
		maxRedirects)
}

// sameServer is where a redirect leads, if that is on the server that was asked.
func sameServer(from string, r oauth.Reply) (string, bool) {
	at, _, ok := redirect(from, r)
	if !ok {
		return "", false
	}
	asked, err := url.Parse(from)
	return at.String(), err == nil && at.Scheme == asked.Scheme && strings.EqualFold(at.Host, asked.Host) &&
		at.User == nil
}

// redirect is where an answer leads; false when it is no redirect.
func redirect(from string, r oauth.Reply) (at *url.URL, status int, ok bool) {
	switch r.Status {
	case http.StatusMovedPermanently, http.StatusFound, http.StatusSeeOther, http.StatusTemporaryRedirect,
		http.StatusPermanentRedirect:
	default:
		return nil, 0, false
	}
	base, err := url.Parse(from)
	if err != nil {
		return nil, 0, false
	}
	at, err = base.Parse(r.Header.Get("Location"))
	return at, r.Status, err == nil && r.Header.Get("Location") != "" && at.Host != ""
}

// answered is the archive of an answer with status 200.
func (s *server) answered(r oauth.Reply) (answer, error) {
	if err := s.unfit(r); err != nil {
		return answer{}, err
	}
	raw := r.Body
	if strings.EqualFold(r.Header.Get("Content-Encoding"), "gzip") {
		var err error
		if raw, err = decoded(raw, s.cfg.MaxBytes); err != nil {
			return answer{}, r.Refuse(authz.Unavailable, err.Error())
		}
	}
	return answer{raw: raw, tag: r.Header.Get("ETag"), waits: s.waits(r, 0)}, nil
}

// unfit is why an answer with status 200 holds no archive, as far as that shows without unpacking it.
func (s *server) unfit(r oauth.Reply) error {
	kind, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type"))
	switch {
	case r.Over:
		return r.Refuse(authz.Unavailable, fmt.Sprintf("the archive holds more than %d bytes (max_bytes)",
			s.cfg.MaxBytes))
	case len(r.Body) == 0:
		return r.Refuse(authz.Unavailable, "the answer is empty")
	case gzipped(r.Body):
		return nil
	case kind == "text/html" || bytes.HasPrefix(bytes.TrimSpace(r.Body), []byte("<")):
		return r.Refuse(authz.Unavailable, "the answer is a web page, such as that of a login or a proxy, and no "+
			"archive")
	case kind == "application/json":
		return r.Refuse(authz.Unavailable, "the answer is JSON, and no archive")
	}
	return r.Refuse(authz.Unavailable, "the answer is no gzip archive")
}

func gzipped(b []byte) bool { return len(b) > 2 && b[0] == 0x1f && b[1] == 0x8b }

// decoded removes the encoding of the transfer, where the archive within is compressed itself. Object stores send that
// encoding for archives that are compressed once.
func decoded(raw []byte, limit int64) ([]byte, error) {
	z, err := gzip.NewReader(bytes.NewReader(raw))
	if err != nil {
		return nil, fmt.Errorf("the archive is no gzip: %w", err)
	}
	start := make([]byte, 3)
	if n, _ := io.ReadFull(z, start); !gzipped(start[:n]) {
		return raw, nil
	}
	out, err := io.ReadAll(io.LimitReader(io.MultiReader(bytes.NewReader(start), z), limit+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("the archive is cut off: %w", err)
	case int64(len(out)) > limit:
		return nil, fmt.Errorf("the archive holds more than %d bytes (max_bytes)", limit)
	}
	return out, nil
}
