package source

import (
	"fmt"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/authz-sidecar/sidecar/internal/oauth"
)

// kind is where the archives of a source come from.
type kind string

const (
	kindFile     kind = "file"
	kindHTTP     kind = "http"
	kindRegistry kind = "oci"
)

const registryScheme = "oci://"

func (c Config) kind() kind {
	switch {
	case c.URL == "":
		return kindFile
	case strings.HasPrefix(c.URL, registryScheme):
		return kindRegistry
	}
	return kindHTTP
}

// wellNamed matches the names of sources: they are names of files and values of labels too.
var wellNamed = regexp.MustCompile(`^[a-z0-9][a-z0-9_-]{0,62}$`)

// CheckAll reports what is wrong with each source, and names that are given twice. Keys are those below the list.
func CheckAll(all []Config, fault func(key, cause, hint string)) {
	seen := map[string]int{}
	for i, c := range all {
		key := func(key string) string { return strings.TrimSuffix(fmt.Sprintf("[%d].%s", i, key), ".") }
		if first, twice := seen[c.Name]; twice && c.Name != "" {
			fault(key("name"), fmt.Sprintf("%q is the name of item %d too", c.Name, first),
				"give each source a name of its own")
		} else {
			seen[c.Name] = i
		}
	}
}

// Check reports what the tags of c cannot say: see conf.Checker.
func (c Config) Check(fault func(key, cause, hint string)) {
	switch {
	case c.Name == "":
		fault("name", "is empty", "name the bundle, for instance orders")
	case !wellNamed.MatchString(c.Name):
		fault("name", fmt.Sprintf("%q is no name of a source", c.Name),
			"write up to 63 lower-case letters, digits, - and _, beginning with a letter or digit")
	}
	switch {
	case c.Path == "" && c.URL == "":
		fault("url", "neither url nor path is set", "name the archive on a server by url, or the one on this machine "+
			"by path")
	case c.Path != "" && c.URL != "":
		fault("url", "is set, and path too", "remove one of the two: a source is one bundle")
	case c.Path != "":
		c.checkFile(fault)
	default:
		c.checkServer(fault)
	}
	if c.Poll.Max < c.Poll.Min {
		fault("poll.max", fmt.Sprintf("%s is below poll.min, %s", c.Poll.Max, c.Poll.Min),
			"write a value from poll.min on")
	}
	if c.WhenStale != "warn" && c.WhenStale != "" && c.MaxAge == 0 {
		fault("when_stale", "is set, and max_age is not: nothing is ever stale", "set max_age, such as 1h")
	}
	if most := c.Poll.Max + c.Poll.Wait; c.MaxAge > 0 && c.MaxAge < most {
		fault("max_age", fmt.Sprintf("%s is below poll.max and poll.wait together, %s: the archive is stale before "+
			"the server is asked again", c.MaxAge, most), "write several times as much, or lower poll.max")
	}
	if c.Persist != "" {
		if info, err := os.Stat(c.Persist); err != nil || !info.IsDir() {
			fault("persist", fmt.Sprintf("%q is no directory", c.Persist), "create it, writable for the sidecar alone")
		}
	}
}

// checkFile reports a path that leads nowhere, and keys that only a server has.
func (c Config) checkFile(fault func(key, cause, hint string)) {
	if strings.Contains(c.Path, "://") {
		fault("path", fmt.Sprintf("%q is a URL", c.Path), "name it by url")
		return
	}
	if _, err := os.Stat(c.Path); err != nil {
		fault("path", fmt.Sprintf("archive or folder %q does not exist, or cannot be looked at", c.Path),
			"create it, or correct its name or permissions; a relative one starts at the configuration file")
	}
	for _, k := range []struct {
		key string
		set bool
	}{
		{"ca_file", c.CAFile != ""}, {"cloud.vendor", c.Cloud.used()}, {"persist", c.Persist != ""},
		{"client.auth", c.Client.Auth != "none" && c.Client.Auth != ""}, {"poll.wait", c.Poll.Wait > 0},
		{"max_age", c.MaxAge > 0},
	} {
		if k.set {
			fault(k.key, "is set, and the source is a path: no server is asked", "remove it, or name a server by url")
		}
	}
}

// used reports whether requests carry the credentials of a cloud.
func (c Cloud) used() bool { return c.Vendor != "" && c.Vendor != "none" }

// checkServer reports a URL that cannot or must not be asked, and credentials that do not fit.
func (c Config) checkServer(fault func(key, cause, hint string)) {
	address := c.URL
	if c.kind() == kindRegistry {
		ref, cause, hint := parseReference(c.URL, c.AllowInsecureHTTP)
		if cause != "" {
			fault("url", cause, hint)
			return
		}
		if c.Poll.Wait > 0 {
			fault("poll.wait", "is set, and a registry has no long polling",
				"remove it; poll.min and poll.max say when it is asked")
		}
		address = ref.base()
	} else if scheme, _, ok := strings.Cut(c.URL, "://"); ok && scheme != "http" && scheme != "https" {
		fault("url", fmt.Sprintf("has scheme %q", scheme), schemeHint(scheme))
		return
	}
	server := c.server(address)
	server.Name = "source" // its own name has been looked at
	oauth.CheckResource(server, func(key, cause, hint string) {
		if key == "resource" {
			key = "url"
		}
		fault(key, cause, hint)
	})
	if c.Client.Auth != oauth.ClientCredentials && c.Client.NeedsForm() && !c.Client.ShowsCertificate() {
		fault("client.auth", fmt.Sprintf("%s is for an authorization server, and no download can carry it",
			c.Client.Auth),
			"use none, client_secret_basic, bearer, client_credentials, tls_client_auth or self_signed_tls_client_auth")
	}
	c.checkCloud(fault)
}

func schemeHint(scheme string) string {
	switch scheme {
	case "s3", "gs", "az", "abfs", "abfss":
		return "write the https URL of the object, and name the credentials by cloud.vendor"
	case "docker":
		return "write oci://"
	case "git", "ssh", "git+https", "git+ssh":
		return "check it out into a directory, and name that under policies.paths or as path"
	}
	return "use https:// or oci://"
}

func (c Config) checkCloud(fault func(key, cause, hint string)) {
	switch {
	case !c.Cloud.used():
	case c.kind() == kindRegistry && c.Cloud.Vendor != "aws":
		fault("cloud.vendor", c.Cloud.Vendor+" has no credentials for a registry",
			"use client.auth client_secret_basic with a token of the registry")
	case c.Client.Auth != "none" && c.Client.Auth != "":
		fault("cloud.vendor", "is set, and client.auth too", "remove one of the two")
	case c.Cloud.Vendor == "aws" && c.Cloud.Region == "" &&
		slices.Contains([]string{"metadata", "profile"}, c.Cloud.Credentials):
		fault("cloud.region", "is empty", "name the region of the bucket")
	}
}

// server is how package oauth reaches the server of c, whose address is a URL.
func (c Config) server(address string) oauth.Config {
	o := oauth.Config{
		Name: c.Name, Resource: address, Issuer: c.Issuer, TokenEndpoint: c.TokenEndpoint, CAFile: c.CAFile,
		AllowInsecureHTTP: c.AllowInsecureHTTP, Client: c.Client, Timeout: min(c.Timeout, time.Minute),
		MaxResponseBytes: 1 << 20,
	}
	return o
}

// reference names an image of a registry: host, repository, and tag or digest.
type reference struct {
	scheme, host, repository, tag string
}

func (r reference) base() string { return r.scheme + "://" + r.host + "/" }

var (
	repositoryName = regexp.MustCompile(`^[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*(?:/[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*)*$`)
	tagName        = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9._-]{0,127}$`)
	digestName     = regexp.MustCompile(`^sha256:[0-9a-f]{64}$`)
)

// parseReference reads oci://HOST/REPOSITORY:TAG or oci://HOST/REPOSITORY@DIGEST, or says what is wrong with it.
func parseReference(raw string, insecure bool) (r reference, cause, hint string) {
	const form = "write oci://REGISTRY/REPOSITORY:TAG, or oci://REGISTRY/REPOSITORY@sha256:DIGEST"
	host, rest, ok := strings.Cut(strings.TrimPrefix(raw, registryScheme), "/")
	u, err := url.Parse("https://" + host + "/")
	if !ok || err != nil || u.Host != host || host == "" || u.User != nil {
		return r, "names no registry and repository", form
	}
	r = reference{scheme: "https", host: host}
	if insecure {
		r.scheme = "http"
	}
	if name, digest, ok := strings.Cut(rest, "@"); ok {
		r.repository, r.tag = name, digest
		if !digestName.MatchString(digest) {
			return r, "names a digest that is not sha256", form
		}
	} else {
		name, tag, ok := strings.Cut(rest, ":")
		r.repository, r.tag = name, tag
		if !ok || !tagName.MatchString(tag) {
			return r, "names no tag", form
		}
	}
	if !repositoryName.MatchString(r.repository) {
		return r, fmt.Sprintf("%q is no name of a repository", r.repository), form
	}
	return r, "", ""
}
