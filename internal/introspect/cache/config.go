package cache

import (
	"fmt"
	"time"
)

// Config bounds the cache in time and in memory.
type Config struct {
	TTL                time.Duration `yaml:"ttl" default:"30s" max:"24h" doc:"Soft lifetime of an active answer, during which it is used without introspection; never past exp. 0 introspects every time."`
	HardTTL            time.Duration `yaml:"hard_ttl" default:"0s" max:"24h" doc:"Hard lifetime of an active answer. Between the soft and the hard lifetime it is used as stale, and refreshed in the background. 0 is the soft lifetime."`
	StaleIfError       time.Duration `yaml:"stale_if_error" default:"0s" max:"24h" doc:"How long past its hard lifetime an answer is used when the server has failed: no answer in time, a broken connection, a 5xx. Never past exp."`
	CacheControl       string        `yaml:"cache_control" default:"ignore" enum:"ignore|respect" doc:"respect lets a max-age or no-store of the server shorten the lifetimes."`
	NegativeTTL        time.Duration `yaml:"negative_ttl" default:"2s" max:"1m" doc:"Lifetime of an inactive answer. 0 introspects every time."`
	MaxEntries         int           `yaml:"max_entries" default:"50000" min:"1" doc:"Most active answers kept. The defaults of this and of max_bytes agree for answers of 1 KB."`
	MaxBytes           int64         `yaml:"max_bytes" default:"100663296" min:"1048576" doc:"Most memory spent on active answers, estimated."`
	NegativeMaxEntries int           `yaml:"negative_max_entries" default:"10000" min:"1" doc:"Most inactive answers kept, apart from the active ones."`
	RevocationMemory   time.Duration `yaml:"revocation_memory" default:"24h" max:"720h" doc:"How long a revocation applies to JWTs that are validated locally: at least the longest lifetime of such a JWT. 0 forgets it at once."`
}

// Check reports what the tags cannot say.
func (c Config) Check(fault func(key, cause, hint string)) {
	switch {
	case c.HardTTL != 0 && c.TTL == 0:
		fault("hard_ttl", "is set, and cache.ttl is 0, which asks every time",
			"set cache.ttl to the time within which the server is not asked")
	case c.HardTTL != 0 && c.HardTTL < c.TTL:
		fault("hard_ttl", fmt.Sprintf("%s is shorter than cache.ttl, %s", c.HardTTL, c.TTL),
			"make it longer, or leave it out")
	}
}
