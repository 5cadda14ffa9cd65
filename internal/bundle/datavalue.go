package bundle

import (
	"bytes"
	"compress/flate"
	"crypto/sha256"
	"io"
	"sync"
	"weak"

	"github.com/authz-sidecar/sidecar/internal/authz"
)

// dataValue is what a data file holds. Files with the same text have one, so that what did not change is neither read
// nor converted again. Once it is settled, a large value exists as long as it is used, and is made anew from its
// compressed text when it is asked for.
type dataValue struct {
	kind Kind
	slot authz.Slot

	mu     sync.Mutex
	raw    []byte // of a large value that never settled
	packed []byte // of a large value that did
	used   *any   // nil while it is settled
	late   weak.Pointer[any]
}

// largeData is from how many bytes on a file of data is shared and compressed.
const largeData = 64 << 10

// shared are the large values that are in use, by the digest of their text.
var shared = struct {
	sync.Mutex
	values map[[sha256.Size]byte]weak.Pointer[dataValue]
}{values: map[[sha256.Size]byte]weak.Pointer[dataValue]{}}

// valueOf decodes a data file, unless its value is in use.
func valueOf(f SourceFile) (*dataValue, *Problem) {
	if len(f.Raw) < largeData {
		value, err := f.Decode()
		return &dataValue{kind: f.Kind, used: &value}, err
	}
	h := sha256.New()
	writePart(h, []byte{byte(f.Kind)})
	writePart(h, f.Raw)
	key := [sha256.Size]byte(h.Sum(nil))
	shared.Lock()
	earlier := shared.values[key].Value()
	shared.Unlock()
	if earlier != nil {
		earlier.hold()
		return earlier, nil
	}
	value, err := f.Decode()
	if err != nil {
		return nil, err
	}
	v := &dataValue{kind: f.Kind, used: &value, raw: f.Raw}
	shared.Lock()
	defer shared.Unlock()
	for k, old := range shared.values {
		if old.Value() == nil {
			delete(shared.values, k)
		}
	}
	shared.values[key] = weak.Make(v)
	return v, nil
}

// get returns the value.
func (v *dataValue) get() any {
	v.mu.Lock()
	defer v.mu.Unlock()
	return *v.value()
}

// hold keeps the value until it is settled again.
func (v *dataValue) hold() {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.used = v.value()
}

func (v *dataValue) value() *any {
	if v.used != nil {
		return v.used
	}
	value := v.late.Value()
	if value == nil {
		anew := v.unpacked()
		value = &anew
		v.late = weak.Make(value)
	}
	return value
}

// unpacked is the value of the compressed text, which was decoded before.
func (v *dataValue) unpacked() any {
	raw, err := io.ReadAll(flate.NewReader(bytes.NewReader(v.packed)))
	if err != nil {
		panic("bundle: data that were compressed cannot be read: " + err.Error())
	}
	value, problem := SourceFile{Kind: v.kind, File: File{Raw: raw}}.Decode()
	if problem != nil {
		panic("bundle: data that were decoded cannot be decoded again")
	}
	return value
}

// settle lets go of a large value, once it is not used.
func (v *dataValue) settle() {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.raw != nil {
		v.packed, v.raw = packed(v.raw), nil
	}
	if v.packed != nil && v.used != nil {
		v.late, v.used = weak.Make(v.used), nil
	}
}

func packed(raw []byte) []byte {
	var out bytes.Buffer
	w, err := flate.NewWriter(&out, flate.BestSpeed)
	if err == nil {
		_, _ = w.Write(raw) // a buffer takes everything
		_ = w.Close()
	}
	return bytes.Clone(out.Bytes())
}

// Settle lets go of the values of large data, which are made anew when they are asked for. It is for a set whose
// policies are compiled.
func (s *Set) Settle() {
	for _, b := range s.Bundles {
		for i := range b.Data {
			b.Data[i].value.settle()
		}
	}
}
