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
// nor converted again. A large value is made of its text when it is asked for. Once it is settled, it exists as long
// as it is used, and its text is kept compressed.
type dataValue struct {
	kind   Kind
	object bool

	mu     sync.Mutex
	slot   *authz.Slot
	raw    []byte // of a large value that is not settled
	packed []byte // of a large value that was settled
	kept   *Text  // has the text of a large value that was settled, where there is no packed
	text   weak.Pointer[Text]
	used   *any // nil while it is settled or was not asked for
	late   weak.Pointer[any]
}

// largeData is from how many bytes on a file of data is shared and compressed.
const largeData = 64 << 10

// shared are the large values that are in use, by the digest of their text.
var shared = struct {
	sync.Mutex
	values map[[sha256.Size]byte]weak.Pointer[dataValue]
}{values: map[[sha256.Size]byte]weak.Pointer[dataValue]{}}

// newDataValue returns a value in the types of DataFile.Value.
func newDataValue(kind Kind, value any) *dataValue {
	_, object := value.(map[string]any)
	return &dataValue{kind: kind, object: object, slot: new(authz.Slot), used: &value}
}

// valueOf reads a data file, unless its value is in use.
func valueOf(f SourceFile) (*dataValue, *Problem) {
	if len(f.Raw) < largeData {
		value, err := f.Decode()
		return newDataValue(f.Kind, value), err
	}
	h := sha256.New()
	writePart(h, []byte{byte(f.Kind)})
	writePart(h, f.Raw)
	key := [sha256.Size]byte(h.Sum(nil))
	shared.Lock()
	earlier := shared.values[key].Value()
	shared.Unlock()
	if earlier != nil {
		earlier.hold(f.Raw)
		return earlier, nil
	}
	v, err := largeValue(f)
	if err != nil {
		return nil, err
	}
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

// largeValue makes no values of JSON yet: a policy engine makes its own of the text.
func largeValue(f SourceFile) (*dataValue, *Problem) {
	if f.Kind == DataJSON {
		v := &dataValue{kind: f.Kind, raw: f.Raw, object: jsonTextOf(f.Raw).isObject(), slot: new(authz.Slot)}
		return v, checkJSON(f.Raw)
	}
	value, err := f.Decode()
	v := newDataValue(f.Kind, value)
	v.raw = f.Raw
	return v, err
}

// get returns the value.
func (v *dataValue) get() any {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.used != nil {
		return *v.used
	}
	value := v.late.Value()
	if value == nil {
		anew := v.decoded()
		value = &anew
		v.late = weak.Make(value)
	}
	if v.raw != nil {
		v.used = value
	}
	return *value
}

// parts is get, or the text of JSON that was not made a value of yet.
func (v *dataValue) parts() any {
	v.mu.Lock()
	made := v.used != nil
	v.mu.Unlock()
	if made {
		return v.get()
	}
	if raw := v.json(); raw != nil {
		return jsonTextOf(raw)
	}
	return v.get()
}

// hold keeps the text, which is raw, until the value is settled again, unless it is kept anyway.
func (v *dataValue) hold(raw []byte) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.kept == nil {
		v.raw = raw
	}
}

// json is the text of a large value of JSON; nil for another.
func (v *dataValue) json() []byte {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.kind != DataJSON || v.raw == nil && v.packed == nil && v.kept == nil {
		return nil
	}
	return v.unpacked()
}

// unpacked is the text of a large value, of whatever kind.
func (v *dataValue) unpacked() []byte {
	switch {
	case v.raw != nil:
		return v.raw
	case v.kept != nil:
		return v.kept.raw
	}
	raw, err := io.ReadAll(flate.NewReader(bytes.NewReader(v.packed)))
	if err != nil {
		panic("bundle: data that were compressed cannot be read: " + err.Error())
	}
	return raw
}

// decoded is the value of the text, which was checked before.
func (v *dataValue) decoded() any {
	value, problem := SourceFile{Kind: v.kind, File: File{Raw: v.unpacked()}}.Decode()
	if problem != nil {
		panic("bundle: data that were decoded cannot be decoded again")
	}
	return value
}

// slotted is where the policy engine keeps its form of the value.
func (v *dataValue) slotted() *authz.Slot {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.slot
}

// settle lets go of a large value, once it is not used, and of its text.
func (v *dataValue) settle() {
	v.mu.Lock()
	defer v.mu.Unlock()
	switch {
	case v.kept != nil:
		v.slot, v.packed = new(authz.Slot), nil
	case v.raw == nil:
		return // a small value, or one that is settled
	case v.packed == nil:
		v.packed = packed(v.raw)
	}
	v.raw = nil
	if v.used != nil {
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
