package source

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/oauth"
	"github.com/authz-sidecar/sidecar/internal/secret"
)

// registry is an OCI registry, https://github.com/opencontainers/distribution-spec. The archive is a layer of the
// image, as OPA and its tools push it.
type registry struct {
	cfg   Config
	ref   reference
	http  *oauth.Server
	as    oauth.Proof
	sign  func(*http.Request) error // that of oauth.AsPrepared
	token secret.Text               // that the registry's token server gave last
}

func newRegistry(cfg Config, log *slog.Logger) (*registry, error) {
	ref, cause, _ := parseReference(cfg.URL, cfg.AllowInsecureHTTP)
	if cause != "" {
		return nil, fmt.Errorf("set up source %q: url: %s", cfg.Name, cause)
	}
	r := &registry{cfg: cfg, ref: ref}
	var err error
	if r.as, r.sign, err = credentials(cfg, ref.base()); err != nil {
		return nil, err
	}
	r.http, err = oauth.New(cfg.server(ref.base()), oauth.Deps{Log: log})
	return r, err
}

func (r *registry) close() { r.http.Close() }

const (
	maxManifestBytes = 4 << 20
	// maxIndexes is how many indexes may lead to an image.
	maxIndexes = 4
)

// The media types of images and indexes, those of OCI and of Docker.
const manifestTypes = "application/vnd.oci.image.manifest.v1+json, application/vnd.oci.image.index.v1+json, " +
	"application/vnd.docker.distribution.manifest.v2+json, application/vnd.docker.distribution.manifest.list.v2+json"

// descriptor names content of a registry.
type descriptor struct {
	MediaType string `json:"mediaType"`
	Digest    string `json:"digest"`
	Size      int64  `json:"size"`
	Platform  struct {
		Architecture string `json:"architecture"`
	} `json:"platform"`
}

// manifest is an image, which has layers, or an index, which has manifests.
type manifest struct {
	Layers    []descriptor `json:"layers"`
	Manifests []descriptor `json:"manifests"`
}

// ask reads the manifest of the tag and, when the archive that it names is another one, that archive. The tag of the
// answer is the digest of the archive.
func (r *registry) ask(ctx context.Context, tag string, _ time.Duration) (answer, error) {
	layer, err := r.layer(ctx, r.ref.tag, maxIndexes)
	if err != nil {
		return answer{}, err
	}
	if layer.Digest == tag {
		return answer{tag: tag}, nil
	}
	raw, err := r.blob(ctx, layer)
	return answer{raw: raw, tag: layer.Digest}, err
}

// layer finds the descriptor of the archive.
func (r *registry) layer(ctx context.Context, named string, indexes int) (descriptor, error) {
	at := r.ref.base() + "v2/" + r.ref.repository + "/manifests/" + named
	reply, err := r.get(ctx, oauth.Download{
		URL: at, Header: http.Header{"Accept": {manifestTypes}}, MaxBytes: maxManifestBytes,
	})
	switch {
	case err != nil:
		return descriptor{}, err
	case reply.Status == http.StatusNotFound:
		return descriptor{}, reply.Refuse(authz.Misconfigured, "the registry has no such repository, tag or digest")
	case reply.Status != http.StatusOK:
		return descriptor{}, reply.Unexpected("no manifest")
	}
	var m manifest
	if strings.HasPrefix(named, "sha256:") && named != digestOf(reply.Body) || reply.Over {
		return descriptor{}, reply.Refuse(authz.Unavailable, "the manifest is not that of its digest")
	}
	if json.Unmarshal(reply.Body, &m) != nil {
		return descriptor{}, reply.Refuse(authz.Unavailable, "the manifest is no JSON of an image")
	}
	if i := slices.IndexFunc(m.Layers, isArchive); i >= 0 {
		return r.checked(m.Layers[i], reply)
	}
	for _, d := range m.Manifests {
		if d.Platform.Architecture == "unknown" || indexes == 0 { // provenance, beside the image
			continue
		}
		if d, err = r.checked(d, reply); err != nil {
			return descriptor{}, err
		}
		return r.layer(ctx, d.Digest, indexes-1)
	}
	return descriptor{}, reply.Refuse(authz.Misconfigured,
		"the image has no layer that is a gzip archive: push it with "+
			"the media type application/vnd.oci.image.layer.v1.tar+gzip")
}

// isArchive reports whether a layer is a bundle, by the media types under which tools push them.
func isArchive(d descriptor) bool {
	switch d.MediaType {
	case "application/vnd.oci.image.layer.v1.tar+gzip", "application/vnd.docker.image.rootfs.diff.tar.gzip",
		bundleType,
		"application/vnd.opa.bundle.layer.v1+gzip", "application/gzip":
		return true
	}
	return false
}

// checked is a descriptor that can be asked for.
func (r *registry) checked(d descriptor, from oauth.Reply) (descriptor, error) {
	switch {
	case !digestName.MatchString(d.Digest):
		return d, from.Refuse(authz.Unavailable, "the manifest names a digest that is not sha256")
	case d.Size > r.cfg.MaxBytes:
		return d, from.Refuse(authz.Unavailable, fmt.Sprintf("the archive holds more than %d bytes (max_bytes)",
			r.cfg.MaxBytes))
	}
	return d, nil
}

// blob downloads content. Registries keep it elsewhere and lead there: no credentials go along, and the digest, which
// the registry itself named, proves what comes.
func (r *registry) blob(ctx context.Context, d descriptor) ([]byte, error) {
	from := r.ref.base() + "v2/" + r.ref.repository + "/blobs/" + d.Digest
	get := oauth.Download{URL: from, Header: http.Header{"Accept-Encoding": {"identity"}}, MaxBytes: r.cfg.MaxBytes}
	reply, err := r.get(ctx, get)
	for range maxRedirects {
		at, _, ok := redirect(get.URL, reply)
		if err != nil || !ok {
			break
		}
		if cause, _ := r.cfg.server("").CheckURL(at.String()); cause != "" {
			return nil, reply.Refuse(authz.Misconfigured, "it leads to a URL that "+cause)
		}
		get.URL, get.As = at.String(), oauth.Anonymous
		reply, err = r.http.Download(ctx, get)
	}
	switch {
	case err != nil:
		return nil, err
	case reply.Status != http.StatusOK:
		return nil, reply.Unexpected("no archive")
	case reply.Over:
		return nil, reply.Refuse(authz.Unavailable, fmt.Sprintf("the archive holds more than %d bytes (max_bytes)",
			r.cfg.MaxBytes))
	case digestOf(reply.Body) != d.Digest:
		return nil, reply.Refuse(authz.Unavailable, "the archive is not that of its digest")
	}
	return reply.Body, nil
}

func digestOf(raw []byte) string {
	sum := sha256.Sum256(raw)
	return "sha256:" + hex.EncodeToString(sum[:])
}

// get sends a request to the registry, with the token of its token server where it asks for one.
func (r *registry) get(ctx context.Context, d oauth.Download) (oauth.Reply, error) {
	d.As, d.Prepare = r.as, r.sign
	if r.token.Reveal() != "" {
		d.As, d.Token = oauth.AsBearer, r.token
	}
	reply, err := r.http.Download(ctx, d)
	if err != nil || reply.Status != http.StatusUnauthorized {
		return reply, err
	}
	c, ok := challengeOf(reply)
	if !ok {
		return reply, nil
	}
	if r.token, err = r.askToken(ctx, c); err != nil {
		return reply, err
	}
	d.As, d.Token = oauth.AsBearer, r.token
	return r.http.Download(ctx, d)
}

// challenge says where a token for a registry comes from: https://distribution.github.io/distribution/spec/auth/token.
type challenge struct{ realm, service, scope string }

var parameter = regexp.MustCompile(`([a-z_]+)="([^"]*)"`)

func challengeOf(r oauth.Reply) (c challenge, ok bool) {
	for _, value := range r.Header.Values("WWW-Authenticate") {
		scheme, rest, _ := strings.Cut(value, " ")
		if !strings.EqualFold(scheme, "Bearer") {
			continue
		}
		for _, p := range parameter.FindAllStringSubmatch(rest, -1) {
			switch p[1] {
			case "realm":
				c.realm = p[2]
			case "service":
				c.service = p[2]
			case "scope":
				c.scope = p[2]
			}
		}
		return c, c.realm != ""
	}
	return c, false
}

// askToken gets a token. The client's name and password are for that server, as with every client of registries; no
// other credential is sent there.
func (r *registry) askToken(ctx context.Context, c challenge) (secret.Text, error) {
	refused := func(kind authz.Kind, why string) (secret.Text, error) {
		return secret.Text{}, authz.Errorf(kind, "download %q: get a token for the registry: %s", r.cfg.Name, why)
	}
	if cause, _ := r.cfg.server("").CheckURL(c.realm); cause != "" {
		return refused(authz.Misconfigured, "the URL of its token server "+cause)
	}
	at, err := url.Parse(c.realm)
	if err != nil {
		return refused(authz.Misconfigured, "the URL of its token server cannot be used")
	}
	query := at.Query()
	query.Set("scope", "repository:"+r.ref.repository+":pull") // whatever the challenge asks for
	if c.service != "" {
		query.Set("service", c.service)
	}
	at.RawQuery = query.Encode()
	get := oauth.Download{URL: at.String(), MaxBytes: 1 << 20, As: oauth.Anonymous, Prepare: r.sign}
	if r.as == oauth.AsPrepared || r.cfg.Client.Auth == oauth.ClientSecretBasic {
		get.As = r.as
	}
	reply, err := r.http.Download(ctx, get)
	if err != nil {
		return secret.Text{}, err
	}
	var body struct {
		Token       string `json:"token"`
		AccessToken string `json:"access_token"`
	}
	if reply.Status != http.StatusOK || reply.Over || json.Unmarshal(reply.Body, &body) != nil {
		return secret.Text{}, reply.Unexpected("no token for the registry")
	}
	if body.Token == "" {
		body.Token = body.AccessToken
	}
	if body.Token == "" || strings.ContainsFunc(body.Token, func(c rune) bool { return c <= ' ' || c >= 0x7f }) {
		return refused(authz.Unavailable, "there is no token in the answer")
	}
	return secret.New(body.Token), nil
}
