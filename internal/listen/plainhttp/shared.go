//go:build !race

package plainhttp

// checkShared is that of builds with the race detector.
func (*conn) checkShared() {}
