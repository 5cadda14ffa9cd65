package builtins

import (
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/topdown"
)

// deterministicNames are the builtins that are known to be functions of their operands alone. It is a list of what may
// be relied on: a builtin that a later OPA adds is not on it until its implementation has been read. Besides those
// that OPA itself calls not deterministic, these are left out: crypto.x509.parse_and_verify_certificates, which reads
// the clock of the machine; io.jwt.verify_*, whose results the process caches under keys of its own; and
// providers.aws.sign_req.
var deterministicNames = strings.Fields(`
	eq assign internal.member_2 internal.member_3 gt gte lt lte neq equal
	plus minus mul div round ceil floor abs rem bits.or bits.and bits.negate bits.xor bits.lsh bits.rsh
	and or intersection union set_diff count sum product max min sort all any
	array.concat array.flatten array.slice array.reverse to_number
	regex.match regex.is_valid regex.find_all_string_submatch_n regex.template_match regex.split regex.find_n
	regex.globs_match regex.replace re_match
	strings.any_prefix_match strings.any_suffix_match concat format_int indexof indexof_n substring contains
	strings.count startswith endswith lower upper split strings.split_n replace strings.replace_n
	trim trim_left trim_prefix trim_right trim_suffix trim_space sprintf strings.reverse strings.render_template
	numbers.range numbers.range_step units.parse units.parse_bytes uuid.parse
	json.filter json.remove json.patch object.subset object.union object.union_n object.remove object.filter
	object.get object.keys json.marshal json.marshal_with_options json.unmarshal json.is_valid
	base64.encode base64.decode base64.is_valid base64url.encode base64url.encode_no_pad base64url.decode
	urlquery.decode urlquery.encode urlquery.encode_object urlquery.decode_object uri.parse uri.is_valid
	yaml.marshal yaml.unmarshal yaml.is_valid hex.encode hex.decode io.jwt.decode
	time.parse_ns time.parse_rfc3339_ns time.parse_duration_ns time.format time.date time.clock time.weekday
	time.add_date time.diff
	crypto.x509.parse_certificates crypto.md5 crypto.sha1 crypto.sha256
	crypto.hmac.md5 crypto.hmac.sha1 crypto.hmac.sha256 crypto.hmac.sha512 crypto.hmac.equal
	walk graph.reachable graph.reachable_paths
	is_number is_string is_boolean is_array is_set is_object is_null type_name
	cast_array cast_set cast_string cast_boolean cast_null cast_object
	graphql.parse graphql.parse_and_verify graphql.parse_query graphql.parse_schema graphql.is_valid
	graphql.schema_is_valid
	rego.parse_module rego.metadata.chain rego.metadata.rule
	glob.match glob.quote_meta net.cidr_intersects net.cidr_expand net.cidr_contains net.cidr_contains_matches
	net.cidr_merge net.cidr_is_valid net.cidr_overlap semver.is_valid semver.compare
	internal.template_string
`)

// silentNames have no result that a rule could depend on: they write texts for people.
var silentNames = []string{"trace", "print", "internal.print", "internal.test_case"}

// Deterministic reports whether the result of a builtin is known to depend on its operands alone.
func Deterministic(name string) bool {
	return slices.Contains(deterministicNames, strings.TrimPrefix(name, privatePrefix))
}

// isNoted reports whether the calls of a builtin are told to the Notes of an evaluation.
func isNoted(name string) bool {
	return !Deterministic(name) && !slices.Contains(silentNames, strings.TrimPrefix(name, privatePrefix))
}

// noted is b, told to the Notes of each evaluation that calls it.
func noted(b *topdown.Builtin) *topdown.Builtin {
	own, f := *b, b.Func
	isTime := strings.TrimPrefix(b.Decl.Name, privatePrefix) == ast.NowNanos.Name
	own.Func = func(bctx topdown.BuiltinContext, operands []*ast.Term, iter func(*ast.Term) error) error {
		if n, ok := bctx.Cancel.(*Notes); ok && !(isTime && n.KnowsTime) {
			n.Vary()
		}
		return f(bctx, operands, iter)
	}
	return &own
}
