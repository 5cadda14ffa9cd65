//go:build !linux

package main

// givingWay does work. Threads of this system have no niceness of their own.
func givingWay(work func()) { work() }
