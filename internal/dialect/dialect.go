// Package dialect translates the introspection responses and JWTs of twenty kinds of authorization servers into one
// vocabulary: authz.Claims. It also says how the introspection endpoint of each kind is asked.
//
// Everything that is known of a kind of server is one row of one table: table.go.
package dialect

import (
	"github.com/authz-sidecar/sidecar/internal/authz"
)

// dialect is how one kind of server is asked and spells its answers: a row of the table. It is configured, never
// guessed.
//
// A member is named by its name at the top of the answer or, with a leading slash, by a JSON pointer.
type dialect struct {
	name string

	// ask is how a question is put, inactive are the replies other than 200 that say inactive.
	ask      Request
	inactive []refusal
	// signs are members that an answer must have to be one about an active token, where the server has no member
	// "active".
	signs []string
	// audience says whether audiences may be left to the policies.
	audience audienceRule
	// ends is what an answer about a JWT knows of the end of that JWT.
	ends Ending
	// refusedPrefixes are how tokens begin that are no access tokens: they are not even asked about.
	refusedPrefixes []string

	// clientID, username and scopes are members, and so is subject; the first that is there wins. The others add up.
	subject, clientID, username, scopes []string
	roles, groups, permissions          []string
	roleForm                            roleForm
	issued, notBefore, expires          string
	clock                               clock
	// credentials are members that hold a usable token, or help to find one: they are kept out of the claims.
	credentials []string

	// uses are members that name the use of a token. See kind.go for the words that are known.
	uses []string
	// evidence tells the kind of a token by the members of its answer; the first that fits counts. Without one,
	// untyped is the kind of a token whose answer has no token_type.
	evidence []evidence
	untyped  authz.TokenKind

	subjectForm subjectForm
	// subjectTypes are what a member says about the type of the subject. It goes before all other evidence.
	subjectTypes wordlist
	// person are members that only a person's token has.
	person []string
	// assigned is set where the server itself gives people and clients their ids, so that no two are equal by choice.
	assigned bool
	// toldWith are members that an answer has when it has the user's name, if there is one.
	toldWith []string
	// account is how the account of a client is called, where a client has one.
	account account
	// withSubject is the type of a subject that nothing else tells; withoutSubject is the type of subject an answer
	// without one speaks for: if it is Client, the client is the subject.
	withSubject, withoutSubject authz.SubjectType

	jwt local
}

// local is what to know of a server's access tokens when they are validated locally.
type local struct {
	// types are the values of typ in the header; an empty one accepts a header without.
	types []string
	// omits are claims of RFC 9068 section 2.2 that they do not have.
	omits []string
	// evidence is like that of a dialect, for the claims of a JWT.
	evidence []evidence
}

// refusal is a reply that says inactive. What is empty is not looked at.
type refusal struct {
	status           int
	mediaType, error string
}

// audienceRule says what the configuration must say of audiences.
type audienceRule uint8

const (
	_ audienceRule = iota // the configuration may say nothing
	// audienceNeeded is for a public server: it calls the tokens of every client in the world active.
	audienceNeeded
)

// roleForm is where roles are besides in plain lists. See roles.go.
type roleForm uint8

const (
	flat roleForm = iota
	realmAndResource
	projectAndOrganisation
)

// clock is how times are written.
type clock uint8

const (
	// seconds are NumericDates: RFC 7519 section 2.
	seconds clock = iota
	// secondsInText are NumericDates between quotes.
	secondsInText
	// dates are those of RFC 3339; null is never.
	dates
)

// subjectForm is how a subject is written.
type subjectForm uint8

const (
	_ subjectForm = iota // a text
	// wholeNumber is a number that names someone.
	wholeNumber
	// typedText is "(usr!alice)", for the person alice.
	typedText
)
