package main

// aside starts work that takes a processor for tens of milliseconds and allocates much, such as compiling policies
// that were edited, while requests are answered. Its thread gives way to theirs. A collection of garbage, which takes
// the other processors too, mostly comes after the work: see workRoom.
func (p *pacer) aside(work func()) {
	p.makeRoom()
	go givingWay(work)
}
