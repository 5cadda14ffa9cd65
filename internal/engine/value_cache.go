package engine

import (
	"context"

	"github.com/open-policy-agent/opa/v1/topdown/cache"
)

// valueCacheEntries bounds what builtins keep between evaluations: parsed patterns and schemas, which may come from
// requests. OPA's default has no bound.
const valueCacheEntries = 1000

func newValueCache(ctx context.Context) cache.InterQueryValueCache {
	bound := valueCacheEntries
	return cache.NewInterQueryValueCache(ctx, &cache.Config{
		InterQueryBuiltinValueCache: cache.InterQueryBuiltinValueCacheConfig{MaxNumEntries: &bound},
	})
}
