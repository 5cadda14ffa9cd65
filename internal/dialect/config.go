package dialect

import (
	"fmt"
	"slices"
	"time"

	"github.com/go-json-experiment/json/jsontext"
)

// Config says which kind of server an issuer is, and which of its tokens are for this resource server.
type Config struct {
	Dialect         string        `yaml:"dialect" default:"rfc7662" doc:"Kind of server: how it is asked, and how its answers and tokens are read."`
	Audience        []string      `yaml:"audience" doc:"Identifiers of the resource server itself; a token whose audience names none of them is refused (RFC 7662 section 4). Empty leaves audiences to the policies."`
	AbsentAudience  string        `yaml:"absent_audience" default:"refuse" enum:"refuse|accept" doc:"What to do with a token without audience when audience is set."`
	RefusedPrefixes []string      `yaml:"refused_prefixes" doc:"Prefixes of tokens that are refused without introspection, such as those of refresh tokens. The dialect may add some."`
	Tenant          []string      `yaml:"tenant" doc:"JSON pointers into the answer; the first that finds a text is the tenant, else the first that finds a whole number."`
	Tenants         []string      `yaml:"tenants" doc:"Accepted tenants; * stands for any text. A token of another tenant is refused. Empty accepts all."`
	Roles           []string      `yaml:"roles" doc:"JSON pointers into the answer; strings and arrays of strings found are added to the roles of the dialect."`
	Subject         SubjectConfig `yaml:"subject" doc:"Members that tell tokens of users from those of clients, where the dialect knows none."`
	NotBeforeLeeway time.Duration `yaml:"not_before_leeway" default:"10s" max:"60s" doc:"How far the server's clock may be ahead: for nbf of tokens, and for iat of JWTs and of signed responses, where 10s are always allowed."`
}

// SubjectConfig names members that tell a person's token from a program's. A member is there when its value is neither
// null, false nor empty text. Where both lists find one, the type of the subject is unknown.
type SubjectConfig struct {
	User   []string `yaml:"user" doc:"JSON pointers into the answer, or the claims of a JWT; the subject of a token with one of these members is a user."`
	Client []string `yaml:"client" doc:"JSON pointers into the answer, or the claims of a JWT; the subject of a token with one of these members is a client."`
}

// Words are the dialects: see conf.Worder.
func (Config) Words(key string) []string {
	if key == "dialect" {
		return names()
	}
	return nil
}

// Check reports what the tags of c cannot say: see conf.Checker.
func (c Config) Check(fault func(key, cause, hint string)) {
	checkPointers("tenant", c.Tenant, fault)
	checkPointers("roles", c.Roles, fault)
	if len(c.Tenants) > 0 && len(c.Tenant) == 0 {
		fault("tenants", "limits a tenant that is never read", "say in tenant which member of the answer has it")
	}
	checkPointers("subject.user", c.Subject.User, fault)
	checkPointers("subject.client", c.Subject.Client, fault)
	for i, p := range c.Subject.User {
		if slices.Contains(c.Subject.Client, p) {
			fault(fmt.Sprintf("subject.user[%d]", i), fmt.Sprintf(
				"%q is in subject.client too, and cannot tell the two apart", p), "keep one of the two")
		}
	}
}

func checkPointers(key string, pointers []string, fault func(key, cause, hint string)) {
	for i, p := range pointers {
		if p == "" || !jsontext.Pointer(p).IsValid() {
			fault(fmt.Sprintf("%s[%d]", key, i), fmt.Sprintf("%q is not a JSON pointer to a member (RFC 6901)", p),
				"write /name, or /outer/inner")
		}
	}
}
