//go:build !race

package testkit

// Race reports whether the race detector is on, which allocates, and with which pools lose what they hold.
const Race = false
