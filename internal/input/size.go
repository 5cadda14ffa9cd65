package input

// documentBytes is what a document takes besides what it refers to.
const documentBytes = 1 << 10

// Size is the memory that a document keeps in use, in bytes, estimated.
func (d *Document) Size() int {
	if d == nil {
		return 0
	}
	r := &d.Request
	n := documentBytes + len(r.Path) + len(r.RawPath) + len(d.Context)
	n += len(d.Token.Claims) + len(d.Token.AuthorizationDetails)
	for _, s := range r.Segments {
		n += stringBytes + len(s)
	}
	n += sizeOf(r.Query) + sizeOf(r.Headers)
	if r.Body != nil {
		n += len(*r.Body)
	}
	for _, e := range []*Entity{d.Subject, d.Resource} {
		if e != nil {
			n += len(e.Type) + len(e.ID) + len(e.Properties)
		}
	}
	if a := d.Action; a != nil {
		n += len(a.Name) + len(a.Properties)
	}
	if d.MCP != nil {
		n += d.MCP.Size()
	}
	return n
}

// stringBytes is what a text takes besides its bytes.
const stringBytes = 16

func sizeOf(m map[string][]string) int {
	n := 0
	for name, values := range m {
		n += 4*stringBytes + len(name)
		for _, v := range values {
			n += stringBytes + len(v)
		}
	}
	return n
}
