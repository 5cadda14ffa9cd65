package bundle

import "iter"

// Place is a value in a Text, which is looked at where it is.
type Place struct {
	text *Text
	at   uint32
}

// Top is the value of the file.
func (x *Text) Top() Place { return Place{x, 0} }

// First is the first character of the value, which tells what it is: one of {["tfn, or that of a number.
func (p Place) First() byte { return p.text.raw[p.at] }

// Member is the value of a member; false where the value is no object that has one of this name.
func (p Place) Member(name string) (Place, bool) {
	if p.First() != '{' {
		return Place{}, false
	}
	if of, large := p.text.large[p.at]; large {
		at, ok := p.text.member(of, name)
		return Place{p.text, at}, ok
	}
	for begin, at := range p.text.inside(p.at) {
		if string(p.text.nameAt(begin)) == name {
			return Place{p.text, at}, true
		}
	}
	return Place{}, false
}

// Len is how many members an object has, or elements an array; 0 for another value.
func (p Place) Len() (n int) {
	if of, large := p.text.large[p.at]; large && p.First() == '{' {
		for _, begin := range of.names {
			n += min(1, int(begin))
		}
		return n
	}
	for range p.text.inside(p.at) {
		n++
	}
	return n
}

// All are the members of an object with their names, or the elements of an array, in the order of the file.
func (p Place) All() iter.Seq2[string, Place] {
	return func(yield func(string, Place) bool) {
		named := p.First() == '{'
		for begin, at := range p.text.inside(p.at) {
			name := ""
			if named {
				name = string(p.text.nameAt(begin))
			}
			if !yield(name, Place{p.text, at}) {
				return
			}
		}
	}
}

// inside are the members of an object or array that begins at a place: where each begins, and where its value does.
func (x *Text) inside(at uint32) iter.Seq2[uint32, uint32] {
	return func(yield func(begin, value uint32) bool) {
		first := x.raw[at]
		if first != '{' && first != '[' {
			return
		}
		for i := skipSpace(x.raw, int(at)+1); x.raw[i] != '}' && x.raw[i] != ']'; {
			begin := i
			if first == '{' {
				i = skipSpace(x.raw, skipSpace(x.raw, endOfText(x.raw, i))+1)
			}
			if !yield(uint32(begin), uint32(i)) {
				return
			}
			if i = skipSpace(x.raw, x.end(i)); x.raw[i] == ',' {
				i = skipSpace(x.raw, i+1)
			}
		}
	}
}
