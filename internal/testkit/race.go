//go:build race

package testkit

// race reports whether the race detector is on, which allocates, and with which pools lose what they hold.
const race = true
