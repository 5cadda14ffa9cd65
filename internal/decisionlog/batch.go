package decisionlog

// Batch is some events, in order. Their lines are encoded when a sink first asks for them, and shared by all sinks. A
// batch belongs to the writer: a sink must not keep it, nor what its methods return.
type Batch struct {
	enc     *encoder
	encoded func(*Record, outcome) // told of each record

	records []*Record
	bytes   int64 // memory of records, estimated
	done    int   // of records, those that are encoded
	lines   []byte
	events  int // in lines
}

// Lines returns the events, one JSON object a line.
func (b *Batch) Lines() []byte {
	for ; b.done < len(b.records); b.done++ {
		r := b.records[b.done]
		var out outcome
		b.lines, out = b.enc.event(b.lines, r)
		if !out.suppressed {
			b.events++
		}
		b.encoded(r, out)
	}
	return b.lines
}

// Len returns the number of events, without those that a policy drops.
func (b *Batch) Len() int {
	b.Lines()
	return b.events
}

func (b *Batch) add(r *Record) {
	b.records = append(b.records, r)
	b.bytes += r.size
}

// reset empties the batch and keeps its buffers, unless a burst has made them large.
func (b *Batch) reset() {
	clear(b.records)
	b.records, b.lines = b.records[:0], b.lines[:0]
	b.bytes, b.done, b.events = 0, 0, 0
	if cap(b.lines) > keepBytes {
		b.lines = nil
	}
}
