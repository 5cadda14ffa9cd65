package input

// Config says what of a request policies may see.
type Config struct {
	Headers        []string `yaml:"headers" default:"x-tenant,x-request-id,x-forwarded-for,user-agent,content-type,accept,origin" doc:"Request headers policies see. Credentials never pass: authorization, cookie, dpop and their kin."`
	BodyBytes      int      `yaml:"body_bytes" default:"0" max:"1048576" doc:"How much of a request's body policies see. 0 hides it."`
	AmbiguousPaths string   `yaml:"ambiguous_paths" default:"refuse" enum:"refuse|accept" doc:"Paths that two programs may read differently (%2F, //, dot segments, ;parameters, double encoding)."`
}
