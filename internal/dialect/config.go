package dialect

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/go-json-experiment/json/jsontext"
)

// Config says which kind of server an issuer is, and which of its tokens are for this resource server.
type Config struct {
	Dialect         string        `yaml:"dialect" default:"rfc7662" enum:"rfc7662|keycloak|duende|hydra|zitadel|authentik|okta|pingam|pingfederate|curity|wso2|spring|oidc-provider|openiddict|connect2id|auth0|entra|cognito|google|github" doc:"Kind of server: how it is asked, and how its answers and tokens are read."`
	Audience        []string      `yaml:"audience" doc:"Identifiers of the resource server itself; a token whose audience names none of them is refused (RFC 7662 section 4). Empty leaves audiences to the policies."`
	AbsentAudience  string        `yaml:"absent_audience" default:"refuse" enum:"refuse|accept" doc:"What to do with a token without audience when audience is set."`
	RefusedPrefixes []string      `yaml:"refused_prefixes" doc:"Prefixes of tokens that are refused without introspection, such as those of refresh tokens. The dialect may add some."`
	Tenant          []string      `yaml:"tenant" doc:"JSON pointers into the answer; the first that finds a text is the tenant, else the first that finds a whole number."`
	Tenants         []string      `yaml:"tenants" doc:"Accepted tenants; * stands for any text. A token of another tenant is refused. Empty accepts all."`
	Roles           []string      `yaml:"roles" doc:"JSON pointers into the answer; strings and arrays of strings found are added to the roles of the dialect."`
	Subject         SubjectConfig `yaml:"subject" doc:"Members that tell tokens of users from those of clients, where the dialect knows none."`
	NotBeforeLeeway time.Duration `yaml:"not_before_leeway" default:"10s" max:"60s" doc:"How far the server's clock may be ahead: for nbf of tokens, and for iat of JWTs and of signed responses, where 10s are always allowed."`
}

// SubjectConfig names members that tell a person's token from a program's. A member is there when its value is neither null,
// false nor empty text. Where both lists find one, the type of the subject is unknown.
type SubjectConfig struct {
	User   []string `yaml:"user" doc:"JSON pointers into the answer, or the claims of a JWT; the subject of a token with one of these members is a user."`
	Client []string `yaml:"client" doc:"JSON pointers into the answer, or the claims of a JWT; the subject of a token with one of these members is a client."`
}

const maxNotBeforeLeeway = time.Minute

// Check reports every fault of c. The words that choose a mode may be empty and then mean their documented default.
func (c Config) Check(fault func(key, cause, hint string)) {
	checkWord("dialect", c.Dialect, names(), fault)
	checkWord("absent_audience", c.AbsentAudience, []string{"refuse", "accept"}, fault)
	checkPointers("tenant", c.Tenant, fault)
	checkPointers("roles", c.Roles, fault)
	c.checkTenants(fault)
	checkPointers("subject.user", c.Subject.User, fault)
	checkPointers("subject.client", c.Subject.Client, fault)
	for i, p := range c.Subject.User {
		if slices.Contains(c.Subject.Client, p) {
			fault(fmt.Sprintf("subject.user[%d]", i), fmt.Sprintf("%q is in subject.client too, and cannot tell the two apart", p), "keep one of the two")
		}
	}
	for i, p := range c.RefusedPrefixes {
		if p == "" {
			fault(fmt.Sprintf("refused_prefixes[%d]", i), "is empty, and every token begins with nothing", "remove it")
		}
	}
	for i, a := range c.Audience {
		if a == "" {
			fault(fmt.Sprintf("audience[%d]", i), "is empty", "remove it")
		}
	}
	if c.NotBeforeLeeway < 0 || c.NotBeforeLeeway > maxNotBeforeLeeway {
		fault("not_before_leeway", fmt.Sprintf("%s is not between 0s and %s", c.NotBeforeLeeway, maxNotBeforeLeeway), "")
	}
}

func (c Config) checkTenants(fault func(key, cause, hint string)) {
	if len(c.Tenants) > 0 && len(c.Tenant) == 0 {
		fault("tenants", "limits what no token has: no tenant is read", "say in tenant where the answer has it")
	}
	for i, t := range c.Tenants {
		if t == "" {
			fault(fmt.Sprintf("tenants[%d]", i), "is empty", "remove it: tokens without a tenant pass anyway")
		}
	}
}

func checkWord(key, value string, allowed []string, fault func(key, cause, hint string)) {
	if value != "" && !slices.Contains(allowed, value) {
		fault(key, fmt.Sprintf("%q is unknown", value), "use one of "+strings.Join(allowed, ", "))
	}
}

func checkPointers(key string, pointers []string, fault func(key, cause, hint string)) {
	for i, p := range pointers {
		if p == "" || !jsontext.Pointer(p).IsValid() {
			fault(fmt.Sprintf("%s[%d]", key, i), fmt.Sprintf("%q is not a JSON pointer to a member (RFC 6901)", p), "write /name, or /outer/inner")
		}
	}
}
