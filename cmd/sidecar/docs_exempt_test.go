package main

import "strings"

// exemptions are the blocks and commands of pages that do not run here, each with its reason. A block is named by how
// it begins, a command likewise. All else runs.
var exemptions = []struct {
	page, lang, begins string // lang "command": one command of a block
	reason             string
}{
	{"README.md", "command", "make test", "is this test"},
	{"README.md", "command", "go install", "needs a version that is published"},
	{"README.md", "python", "", "TestTheSnippets of internal/realtest runs it"},
	{"README.md", "text", "                     1 request", "a picture"},
	{"docs/performance.md", "text", "make bench", "takes minutes, and needs a machine without other work"},
	{"docs/performance.md", "text", "BENCH_SECONDS", "takes minutes, and needs a machine without other work"},
	{"docs/check.md", "text", "issuer main:", "docs/issuers.md runs the command"},
	{"docs/clients.md", "python", "", "TestTheSnippets of internal/realtest runs or compiles it"},
	{"docs/clients.md", "js", "", "TestTheSnippets of internal/realtest runs or compiles it"},
	{"docs/clients.md", "java", "", "TestTheSnippets of internal/realtest runs or compiles it"},
	{"docs/commands.md", "text", "", "is made from the help texts, which a test of this package compares"},
	{"docs/concepts.md", "text", " request", "a picture"},
	{"docs/operations.md", "console", "$ sidecar healthcheck --config",
		"a sidecar stops too soon for it: the tests of internal/probe"},
	{"docs/operations.md", "sh", "sidecar healthcheck --url unix",
		"needs other machines: the tests of internal/probe"},
	{"docs/configuration.md", "yaml", "policies:\n  paths: []\n  sources:",
		"needs a server: the tests of internal/bundle/source"},
	{"docs/configuration.md", "yaml", "policies:\n  paths: [policies]\n  sources:",
		"needs a server and keys: docs/security-review.md makes and serves them"},
	{"docs/deploy.md", "yaml", "patches:", "is of kustomize, and needs a cluster that mounts images"},
	{"docs/deploy.md", "sh", "sidecar init", "TestRelease of internal/realtest runs it"},
	{"docs/deploy.md", "ini", "[Service]", "TestRelease of internal/realtest has the same settings"},
	{"docs/deploy.md", "console", "$ systemd-analyze", "TestRelease of internal/realtest runs it"},
	{"docs/deploy.md", "sh", "cd deploy/compose", "TestComposeFile of internal/realtest checks and serves the folder"},
	{"docs/gateways/README.md", "sh", "curl -i http://127.0.0.1:8080",
		"asks a gateway, as TestGateways of internal/realtest does"},
	{"docs/gateways/apache.md", "apache", "", "is of Apache httpd, which asks no sidecar"},
	{"docs/gateways/caddy.md", "caddy", "", "TestGateways of internal/realtest runs it"},
	{"docs/gateways/envoy.md", "yaml", "endpoint:", "TestEnvoyAsksOverAUnixSocket of internal/realtest runs it"},
	{"docs/gateways/envoy.md", "yaml", "    typed_extension_protocol_options:", "is a part of a cluster of Envoy"},
	{"docs/gateways/envoy.md", "yaml", "static_resources:", "TestGateways of internal/realtest runs it"},
	{"docs/gateways/haproxy.md", "haproxy", "", "TestGateways of internal/realtest runs it"},
	{"docs/gateways/haproxy.md", "lua", "", "TestGateways of internal/realtest runs it"},
	{"docs/gateways/ingress-nginx.md", "yaml", "apiVersion:", "needs a cluster that has the controller"},
	{"docs/gateways/nginx.md", "nginx", "", "TestGateways of internal/realtest runs it"},
	{"docs/gateways/traefik.md", "yaml", "http:", "is of Traefik, which cannot be built everywhere"},
	{"docs/gateways/traefik.md", "yaml", "apiVersion:", "needs a cluster that has Traefik"},
	{"docs/install.md", "sh", "go install", "needs a version that is published"},
	{"docs/install.md", "sh", "curl", "needs a version that is published"},
	{"docs/install.md", "sh", "version=1.0.0", "needs a version that is published"},
	{"docs/install.md", "sh", "sha256sum", "TestRelease of internal/realtest runs it"},
	{"docs/install.md", "sh", "sudo", "TestRelease of internal/realtest installs packages and looks at manual pages"},
	{"docs/install.md", "sh", "docker build", "TestImage of internal/realtest builds both platforms"},
	{"docs/install.md", "sh", "git clone", "needs the network, and builds what is under test"},
	{"docs/install.md", "sh", "source", "is of bash"},
	{"docs/install.md", "sh", "go version", "needs an installed binary"},
	{"docs/install.md", "sh", "sidecar check", "needs an installed configuration"},
	{"docs/security-review.md", "yaml", "issuers:\n  - issuer: http://127.0.0.1:8180",
		"names keys and a bundle that the page makes, and is served by its commands"},
	{"docs/tutorial.md", "sh", "go mod init", "needs a version that is published"},
	{"docs/tutorial.md", "sh", "curl -i", "asks the application, which sidecarclient/internal/tutorial tests"},
	{"docs/operations.md", "promql", "", "needs Prometheus"},
	{"docs/upstream-token.md", "python", "import jwt", "TestTheSnippetsVerifyASignedIdentity of internal/realtest runs it"},
	{"docs/upstream-token.md", "js", "", "TestTheSnippetsVerifyASignedIdentity of internal/realtest runs it"},
	{"docs/upstream-token.md", "sh", "openssl", "is of OpenSSL: the tests of internal/upstreamtoken make such keys"},
	{"docs/upstream-token.md", "python", "", "TestAnApplicationVerifiesTheIdentityByTheIssuerAlone of " +
		"internal/realtest runs it"},
	{"docs/upstream-token.md", "yaml", "upstream_token:",
		"names a key that the page makes: the tests of internal/app sign with one"},
}

// otherPrograms do not run in the tests of all machines.
var otherPrograms = map[string]string{
	"docker":   "internal/realtest builds the image and runs it",
	"kubectl":  "needs a cluster; internal/realtest checks the manifests and runs the binary as they do",
	"promtool": "internal/realtest runs it on these files",
}

// exempt is the place of the exemption of a block or command, or -1.
func exempt(page, lang, text string) int {
	for i, e := range exemptions {
		if e.page == page && e.lang == lang && strings.HasPrefix(text, e.begins) {
			return i
		}
	}
	return -1
}
