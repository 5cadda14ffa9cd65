package door

import (
	"maps"
	"slices"

	"github.com/authz-sidecar/sidecar/internal/httpuri"
)

// LowerNames returns headers with lower-case names, as authz.Request has them. The values of names that differ only in
// case are joined, so that no second credential hides behind a capital letter. They are joined in the order of the
// names as they were, so that the same call always asks the same.
func LowerNames(headers map[string][]string) map[string][]string {
	clean := true
	for name := range headers {
		if httpuri.Lower(name) != name {
			clean = false
			break
		}
	}
	if clean {
		return headers
	}
	out := make(map[string][]string, len(headers))
	for _, name := range slices.Sorted(maps.Keys(headers)) {
		lower := lowerName(name)
		out[lower] = append(out[lower], headers[name]...)
	}
	return out
}

// LowerNamesBut is LowerNames without the headers named in without. It returns a map of its own, whose values are
// those of headers. It has room for as many as room says without growing.
func LowerNamesBut(headers map[string][]string, without map[string]bool, room int) map[string][]string {
	out := make(map[string][]string, max(0, room))
	for name, values := range headers {
		if without[name] {
			continue
		}
		lower := lowerName(name)
		if _, again := out[lower]; again {
			kept := maps.Clone(headers)
			maps.DeleteFunc(kept, func(name string, _ []string) bool { return without[name] })
			return LowerNames(kept) // two names that differ in case: not clean
		}
		out[lower] = values
	}
	return out
}

func lowerName(name string) string {
	if lower := commonNames[name]; lower != "" {
		return lower
	}
	return httpuri.Lower(name)
}

// CommonName is the name of a header in lower case, if it is one that many requests have; else it is "". It allocates
// nothing.
func CommonName(name []byte) string { return commonNames[string(name)] }

// commonNames are names of headers that most requests have, as Go and as HTTP/2 write them, in lower case.
var commonNames = lowerOf(
	"Accept", "Accept-Encoding", "Accept-Language", "Authorization", "Cache-Control", "Connection",
	"Content-Encoding", "Content-Length", "Content-Type", "Cookie", "Dpop", "Forwarded", "Host", "If-Match",
	"If-Modified-Since", "If-None-Match", "Origin", "Pragma", "Priority", "Range", "Referer", "Sec-Ch-Ua",
	"Sec-Ch-Ua-Mobile", "Sec-Ch-Ua-Platform", "Sec-Fetch-Dest", "Sec-Fetch-Mode", "Sec-Fetch-Site",
	"Sec-Fetch-User", "Te", "Traceparent", "Tracestate", "Upgrade-Insecure-Requests", "User-Agent", "Via",
	"X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Port", "X-Forwarded-Proto", "X-Real-Ip",
	"X-Request-Id", "X-Requested-With",
)

func lowerOf(names ...string) map[string]string {
	out := make(map[string]string, 2*len(names))
	for _, name := range names {
		lower := httpuri.Lower(name)
		out[name], out[lower] = lower, lower
	}
	return out
}
