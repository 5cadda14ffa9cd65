package reads

// texts is a set of hashes of texts, in 8 bytes a text or less. A text that is not in it may seem to be.
type texts struct {
	slots []uint32 // a power of two, half of them empty (0)
	n     int
}

// mark is what stands for a hash.
func mark(hash uint64) uint32 { return uint32(hash>>32) | 1 }

// place is where a mark is, or the empty slot where it would be.
func (t *texts) place(m uint32) *uint32 {
	last := len(t.slots) - 1
	i := int(m>>1) & last
	for t.slots[i] != 0 && t.slots[i] != m {
		i = (i + 1) & last
	}
	return &t.slots[i]
}

func (t *texts) has(hash uint64) bool { return t.n > 0 && *t.place(mark(hash)) != 0 }

func (t *texts) add(hash uint64) {
	if 2*t.n >= len(t.slots) {
		old := t.slots
		t.slots = make([]uint32, max(64, 2*len(old)))
		for _, m := range old {
			if m != 0 {
				*t.place(m) = m
			}
		}
	}
	if slot := t.place(mark(hash)); *slot == 0 {
		*slot = mark(hash)
		t.n++
	}
}
