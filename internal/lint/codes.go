package lint

import "maps"

// Rule is one rule of the pack.
type Rule struct {
	// Code is the name of the rule: constant-condition. It is the name of its page in docs/rules.
	Code  string
	Level Level
	// Title is one line, the heading of the page, without a full stop.
	Title string
}

// Rules are the rules of the pack, sorted by code.
func Rules() []Rule {
	return []Rule{
		{"collection-as-condition", Error, "A condition is a set or an object, which holds when it is empty too"},
		{"constant-condition", Warning, "A condition is the same for each request"},
		{"default-allow", Error, "A rule that allows is true by default"},
		{"defaults-compare-equal", Warning, "Two absent values have the same default, and are equal"},
		{"deny-never-read", Warning, "No entrypoint reads a rule that is named as one that denies"},
		{"deny-on-optional", Warning, "A rule that denies does not hold where a member is absent"},
		{"else-allows", Warning, "What no earlier branch catches is allowed"},
		{"every-over-empty", Warning, "An every over a list from outside holds for an empty one"},
		{codeIgnore, Warning, "What silences a finding names none, has no reason, or is not needed"},
		{"forbidden-function-call", Warning, "A builtin reaches the network or the machine during a decision"},
		{"glob-without-delimiters", Warning, "A star of a pattern for paths matches slashes"},
		{"header-as-identity", Warning, "A header says who asks, and nothing of the token confirms it"},
		{"header-first-value", Warning, "Only the first value of a header is looked at"},
		{"identity-header-from-free-text", Warning, "A header for the upstream holds text that may break it"},
		{"impossible-case", Error, "A text in lower case is compared with one that has capitals, or the reverse"},
		{"impossible-not", Error, "A collection is negated, which never holds"},
		{"impossible-text", Warning, "A member of the input is compared with a text that it never is"},
		{"method-by-exclusion", Warning, "Methods are allowed because they are not a certain one"},
		{"missing-metadata", Note, "Nothing says what the policy is for"},
		{"narrow-kind", Note, "Ordinary tokens have the kind or the type unknown"},
		{"negated-call-on-optional", Warning, "A negated call fails where its argument is absent"},
		{"no-defined-entrypoint", Note, "No rule is annotated as an entrypoint"},
		{"not-equals-in-loop", Warning, "One different element is enough for a != over a collection"},
		{"path-prefix-without-boundary", Warning, "A prefix of the path does not end at a segment"},
		{"raw-claim", Warning, "A claim is read although a member has it, checked and in one form"},
		{"raw-path", Warning, "A decision reads the path as it was received"},
		{"redacted-comparison", Error, "Something is allowed for the text that stands where a token was taken out"},
		{"rule-shadows-builtin", Warning, "A rule has the name of a builtin"},
		{"sprintf-arguments-mismatch", Warning, "A format and its arguments differ in number"},
		{"subject-without-issuer", Note, "A subject is compared without its issuer"},
		{"substring-match", Warning, "A part of a text is looked for where the whole matters"},
		{"suffix-without-boundary", Warning, "A suffix of a name does not begin at a label"},
		{"test-without-assertion", Warning, "A test asserts nothing"},
		{"time-now-ns-twice", Warning, "The time is subtracted from itself"},
		{"time-unit-mismatch", Error, "Nanoseconds are compared with seconds"},
		{"unanchored-regex", Warning, "A pattern matches a part of the text"},
		{"unconditional-allow", Warning, "A rule allows and looks at neither token nor request"},
		{"unguarded-conversion", Warning, "A conversion fails for what callers may send"},
		{"untyped-input", Note, "The input is read by names that nothing checks"},
		{"unused-output-variable", Warning, "A variable in a reference is named nowhere else"},
		{"unverified-jwt", Warning, "A JWT is read and not verified"},
		{"username-as-key", Warning, "A decision depends on the user name"},
		{"var-shadows-builtin", Note, "A variable has the name of a builtin"},
	}
}

// levels are the levels of the rules by their code.
func levels() map[string]Level {
	return maps.Collect(func(yield func(string, Level) bool) {
		for _, r := range Rules() {
			if !yield(r.Code, r.Level) {
				return
			}
		}
	})
}
