package migrate

import (
	"maps"
	"slices"
)

// product is a product whose policies can be migrated: what it hands to them, and what that is here.
type product struct {
	// name is the value of --from, title is for people.
	name, title string
	// marks are paths below the input that only this product has.
	marks []string
	// rows are the renames; the longest path that is a prefix counts.
	rows []row
	// headers says how the product writes names of headers and several values of one.
	headers headerStyle
	// trims is set where a path loses the slash at its end.
	trims bool
	// entry is the rule that callers ask by convention, and result says how its members are called.
	entry string
}

// row is one rename. theirs is a path below the input, ours a reference, or a word for what needs more than a rename.
type row struct {
	theirs, ours, note string
}

// Words of the column ours. All others are references.
const (
	isHeaders    = "@headers"   // an object of texts or arrays, by name
	isQuery      = "@query"     // an object of texts
	isPath       = "@path"      // an array or a text: the use tells
	isSegments   = "@segments"  // an array; [""] for /
	isURI        = "@uri"       // a text that has the query in it
	isParsedBody = "@parsed"    // JSON
	isBody       = "@body"      // a text, or JSON: the use tells
	isBodyText   = "@body_text" // a text, "" when there is none
	isTruncated  = "@truncated" // a boolean that is always there
	isAuthority  = "@authority" // an array of {"authority": ...}
	isUser       = "@user"      // who calls, by --user
	isToken      = "@token"     // the token as text: never here
	isConstant   = "@constant:" // always this text
	isNothing    = "-"          // no counterpart
	isOwn        = "@own"       // a member of the sidecar that is left alone
	isSeconds    = "@seconds"   // the time in seconds
)

// headerStyle is how a product hands headers on.
type headerStyle struct {
	// canonical names are X-Team, sent ones are as the client wrote them; all others are in lower case.
	names nameStyle
	// values of one header are joined by join; with nginx a single value is a text and several are an array; arrays
	// are arrays.
	values valueStyle
	join   string
}

type nameStyle uint8

const (
	lowerNames nameStyle = iota
	canonicalNames
	sentNames
)

type valueStyle uint8

const (
	joinedValues valueStyle = iota
	nginxValues
	firstValue
	arrayValues
	anyValues // the use tells
)

// ours is the name of the product that needs no renames.
const ours = "sidecar"

// products are all that are known, in the order in which they are tried.
var products = slices.Concat(proxies, gateways, plugins, applications)

// envoyHTTP are the members of Envoy's HTTP request, below prefix.
func envoyHTTP(prefix string) []row {
	return []row{
		{prefix + ".method", "input.request.method", ""},
		{prefix + ".path", isURI, "has the query there, which is apart here"},
		{prefix + ".host", "input.request.host", "without a port here"},
		{prefix + ".scheme", "input.request.scheme", ""},
		{prefix + ".headers", isHeaders, ""},
		{prefix + ".body", "input.request.body", "with input.body_bytes"},
		{prefix + ".rawBody", isNothing, "raw bytes are not handed on: input.request.body is text"},
		{prefix + ".raw_body", isNothing, "raw bytes are not handed on: input.request.body is text"},
		{prefix + ".query", isNothing, "the query is an object here: input.request.query"},
		{prefix + ".fragment", isNothing, "fragments never reach a server"},
		{prefix + ".protocol", isNothing, "the version of HTTP is not handed on"},
		{prefix + ".id", isNothing, "use the header x-request-id"},
		{prefix + ".size", isNothing, "the size is not handed on"},
	}
}

// envoyAttributes are the members of a CheckRequest, below prefix.
func envoyAttributes(prefix string) []row {
	const peer = "the identity of the peer is not handed on: have the caller send it in the context"
	return slices.Concat(envoyHTTP(prefix+".request.http"), []row{
		{prefix + ".request.time", isNothing, "use time.now_ns()"},
		{prefix + ".source.address.socketAddress.address", "input.request.source_ip", ""},
		{prefix + ".source.address.Address.SocketAddress.address", "input.request.source_ip", ""},
		{prefix + ".source.address.socketAddress.portValue", isNothing, "the port of the client is not handed on"},
		{prefix + ".source.principal", isNothing, peer},
		{prefix + ".source.certificate", isNothing, peer},
		{prefix + ".source.labels", isNothing, peer},
		{prefix + ".source.service", isNothing, peer},
		{prefix + ".destination.address.socketAddress.portValue", "input.request.port", "the port of the URL"},
		{prefix + ".destination", isNothing, "the address of the upstream is not handed on"},
		{prefix + ".contextExtensions", "input.context.contextExtensions", "the caller has to send it"},
		{prefix + ".context_extensions", "input.context.contextExtensions", "the caller has to send it"},
		{prefix + ".metadataContext.filterMetadata.envoy.filters.http.jwt_authn", isPayload,
			"one level below it, the payload of the JWT"},
		{prefix + ".metadata_context.filter_metadata.envoy.filters.http.jwt_authn", isPayload,
			"one level below it, the payload of the JWT"},
		{prefix + ".metadataContext", "input.context.metadataContext", "the caller has to send it"},
		{prefix + ".metadata_context", "input.context.metadataContext", "the caller has to send it"},
	})
}

// isPayload is an object whose one level below is the payload of the token.
const isPayload = "@payload"

// rowsByPath are the rows of a product with the user's own before them.
func (p *product) rowsByPath(own map[string]string) map[string]row {
	out := map[string]row{}
	for _, r := range p.rows {
		out[r.theirs] = r
	}
	for theirs, to := range own {
		out[theirs] = row{theirs, to, "by --map"}
	}
	return out
}

// Products are the values of --from, sorted.
func Products() []string {
	var out []string
	for _, p := range products {
		out = append(out, p.name)
	}
	slices.Sort(out)
	return out
}

// Names are those of other products that have the same input as one in the table.
var sameInput = map[string]string{
	"istio": "envoy", "contour": "envoy", "emissary": "envoy", "agentgateway": "envoy", "kgateway": "envoy",
	"unsoon": "traefik", "tutorial": "opa-http", "bisnode": "opa-http", "dart": "opa-http", "heimdall": "application",
	"backstage": "application", "api-authz": "opa-http", "azure": "apim", "lambda": "aws",
}

// Aliases are further values of --from, sorted.
func Aliases() []string { return slices.Sorted(maps.Keys(sameInput)) }

func productNamed(name string) *product {
	if other, ok := sameInput[name]; ok {
		name = other
	}
	for _, p := range products {
		if p.name == name {
			return p
		}
	}
	return nil
}
