package archive_test

import (
	"bytes"
	"testing"

	"github.com/authz-sidecar/sidecar/internal/bundle/archive"
)

func TestWrite_GivesEqualBytesForEqualFiles(t *testing.T) {
	a := mustRead(t, packed(t, entry{name: ".signatures.json", text: `{"signatures": []}`}))
	var files []archive.File
	for _, f := range a.Files {
		files = append([]archive.File{{Name: f.Name, Raw: f.Raw}}, files...)
	}
	b, err := archive.New("b.tar.gz", files)
	if err != nil {
		t.Fatal(err)
	}
	b.Signatures = a.Signatures
	var x, y bytes.Buffer
	if err := archive.Write(&x, a); err != nil {
		t.Fatal(err)
	}
	if err := archive.Write(&y, b); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(x.Bytes(), y.Bytes()) {
		t.Error("the bytes differ")
	}
	again := mustRead(t, x.Bytes())
	if again.Digest != a.Digest || !bytes.Equal(again.Signatures, a.Signatures) {
		t.Errorf("read %+v, want %+v", again, a)
	}
}

func TestDigest_IsOfTheFilesWithoutTheirSignatures(t *testing.T) {
	plain := mustRead(t, packed(t))
	if signed := mustRead(t, packed(t, entry{name: ".signatures.json", text: "{}"})); signed.Digest != plain.Digest {
		t.Errorf("digest %s of the signed bundle, %s of the plain one", signed.Digest, plain.Digest)
	}
	if more := mustRead(t, packed(t, entry{name: "README.md"})); more.Digest == plain.Digest {
		t.Error("another file does not change the digest")
	}
	const want = "sha256:"
	if len(plain.Digest) != len(want)+64 || plain.Digest[:len(want)] != want {
		t.Errorf("digest %q", plain.Digest)
	}
}
