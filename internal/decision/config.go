package decision

// Config says how requests are turned into decisions.
type Config struct {
	Entrypoint string  `yaml:"entrypoint" default:"authz/decision" doc:"Rule asked when the call names none."`
	Token      string  `yaml:"token" default:"required" enum:"required|optional" doc:"required answers 401 before any policy runs when no token is present; optional lets the policy decide. A bad token is always refused."`
	Realm      string  `yaml:"realm" default:"sidecar" doc:"Realm of the WWW-Authenticate challenge."`
	Routes     []Route `yaml:"routes" doc:"What some requests want of the facts about their tokens. The first that matches counts."`
}
