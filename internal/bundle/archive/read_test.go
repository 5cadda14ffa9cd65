package archive_test

import (
	"archive/tar"
	"bytes"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/authz-sidecar/sidecar/internal/bundle"
	"github.com/authz-sidecar/sidecar/internal/bundle/archive"
)

func TestRead_GivesTheFilesAsASource(t *testing.T) {
	a := mustRead(t, packed(t, entry{name: "orders/orders_test.rego", text: "package orders_test\n"},
		entry{name: "suites/orders_suite.yaml", text: "cases: []\n"}, entry{name: "README.md", text: "# Orders\n"},
		entry{name: ".signatures.json", text: "{}"}))
	names := func(src bundle.Source) (out []string) {
		for _, f := range src.Files {
			out = append(out, f.Path)
		}
		return out
	}
	served := []string{"b.tar.gz/.manifest", "b.tar.gz/orders/data.json", "b.tar.gz/orders/more/data.yaml",
		"b.tar.gz/orders/orders.rego"}
	if got := names(a.Policies()); !slices.Equal(got, served) {
		t.Errorf("policies %q", got)
	}
	if got := names(a.WithTests()); len(got) != 5 || got[4] != "b.tar.gz/orders/orders_test.rego" {
		t.Errorf("with tests %q", got)
	}
	if got := names(a.WithSuites()); len(got) != 6 {
		t.Errorf("with suites %q", got)
	}
	if len(a.Files) != 7 || string(a.Signatures) != "{}" {
		t.Errorf("%d files, signatures %q", len(a.Files), a.Signatures)
	}
	set, err := bundle.Build(bundle.Contents{Sources: []bundle.Source{a.Policies()}})
	if err != nil {
		t.Fatal(err)
	}
	if b := set.Bundles[0]; b.Revision != "r1" || len(b.Modules) != 1 || len(b.Data) != 2 {
		t.Errorf("bundle %+v", b)
	}
}

func TestRead_TakesTheSpellingsOfNamesThatToolsWrite(t *testing.T) {
	want := mustRead(t, packed(t)).Digest
	for _, front := range []string{"/", "./"} {
		all := []entry{{kind: tar.TypeXGlobalHeader}, {name: front + "orders/", kind: tar.TypeDir}}
		for _, e := range entries(small) {
			all = append(all, entry{name: front + e.name, text: e.text})
		}
		if got := mustRead(t, gzipped(t, tarred(t, all...))).Digest; got != want {
			t.Errorf("front %q: digest %s, want %s", front, got, want)
		}
	}
}

func TestRead_RefusesNamesThatLeaveTheBundleOrAreSpeltOddly(t *testing.T) {
	const odd = "the path is not in its shortest form: write it without //, /./ and slashes at its ends"
	deep, long := strings.Repeat("d/", 65)+"x.rego", strings.Repeat("n", 1025)
	for name, want := range map[string]string{
		"../data.json":        "../data.json: name_error: the path leads out of the bundle",
		"orders/../../x.rego": "orders/../../x.rego: name_error: the path leads out of the bundle",
		"//etc/data.json":     "/etc/data.json: name_error: " + odd,
		"orders//x.rego":      "orders//x.rego: name_error: " + odd,
		"orders/./x.rego":     "orders/./x.rego: name_error: " + odd,
		`orders\data.json`: `orders\data.json: name_error: the path holds a backslash, which some systems read as ` +
			`a slash`,
		"a\x1bb.rego": "a\uFFFDb.rego: name_error: the path is not UTF-8, or holds control characters",
		deep:          deep + ": name_error: the file is more than 64 directories deep",
		long:          long[:1024] + ": name_error: the path is longer than 1024 bytes",
	} {
		t.Run(name, func(t *testing.T) {
			refused(t, packed(t, entry{name: name, text: "package x"}), "b.tar.gz/"+want)
		})
	}
}

func TestRead_RefusesWhatOPAReadsOtherwise(t *testing.T) {
	const hidden = "OPA reads this file and the sidecar leaves hidden ones out: rename it, or take it out of the " +
		"bundle"
	for name, want := range map[string]string{
		"a/.signatures.json": "archive_error: only the signatures at the top of a bundle are read",
		"patch.json": "archive_error: delta bundles cannot be signed and are not supported: write a whole " +
			"bundle",
		"a/policy.wasm":     "archive_error: WebAssembly is not supported: build the bundle for the target rego",
		"plan.json":         "archive_error: plans are not supported: build the bundle for the target rego",
		".manifest.pb":      "archive_error: manifests in protobuf are not supported: write .manifest",
		"x.manifest":        "archive_error: OPA reads a file whose name ends in .manifest as the manifest: rename it",
		"a/.manifest":       "manifest_error: only the manifest at the top of a bundle is read",
		".x.rego":           "archive_error: " + hidden,
		".hidden/data.json": "archive_error: " + hidden,
		"a/policy.reg":      "name_error: the name ends in .reg and would be ignored: rename it to end in .rego",
	} {
		t.Run(name, func(t *testing.T) {
			refused(t, packed(t, entry{name: name, text: "{}"}), "b.tar.gz/"+name+": "+want)
		})
	}
}

func TestRead_RefusesWhatIsNoFile(t *testing.T) {
	for name, kind := range map[string]byte{"symbolic link": tar.TypeSymlink, "hard link": tar.TypeLink,
		"device": tar.TypeChar, "disk": tar.TypeBlock, "pipe": tar.TypeFifo} {
		t.Run(name, func(t *testing.T) {
			refused(t, packed(t, entry{name: "orders/x.rego", kind: kind}), "b.tar.gz/orders/x.rego: archive_error: "+
				"is a link or no file at all: OPA would leave it out; a bundle holds files and directories")
		})
	}
}

func TestRead_RefusesAFileThatIsThereTwice(t *testing.T) {
	for _, name := range []string{"orders/data.json", "/orders/data.json", "./orders/data.json"} {
		refused(t, packed(t, entry{name: name, text: "{}"}),
			"b.tar.gz/orders/data.json: archive_error: the file is in the bundle twice")
	}
}

func TestRead_RefusesWhatFollowsTheEnd(t *testing.T) {
	plain := tarred(t, entries(small)...)
	const behind = "b.tar.gz: archive_error: something follows the last file: OPA would leave it out"
	refused(t, gzipped(t, append(slices.Clone(plain), "more"...)), behind)
	refused(t, gzipped(t, slices.Concat(plain, plain)), behind)
	const after = "b.tar.gz: archive_error: something follows the compressed data: OPA would leave it out"
	refused(t, append(packed(t), 'x'), after)
	refused(t, slices.Concat(packed(t), packed(t)), after)
	mustRead(t, gzipped(t, append(slices.Clone(plain), make([]byte, 10240)...)))
}

func TestRead_SaysWhatIsDamaged(t *testing.T) {
	whole := packed(t)
	wrongSum := slices.Clone(whole)
	wrongSum[len(wrongSum)-5] ^= 1
	refused(t, nil, "b.tar.gz: archive_error: the archive ends too early: transfer it again")
	refused(t, whole[:len(whole)/2], "b.tar.gz: archive_error: the archive ends too early: transfer it again")
	refused(t, whole[:len(whole)-1], "b.tar.gz: archive_error: the archive ends too early: transfer it again")
	refused(t, wrongSum, "b.tar.gz: archive_error: the archive is damaged: its checksum or its compression is wrong; "+
		"transfer it again")
	refused(t, []byte("<html>not found</html>"), "b.tar.gz: archive_error: is not compressed by gzip: a bundle is a "+
		".tar.gz, as sidecar bundle build and opa build write it")
	refused(t, gzipped(t, bytes.Repeat([]byte("no tar "), 200)), "b.tar.gz: archive_error: the archive is damaged: "+
		"what gzip holds is no tar archive")
}

func TestRead_TellsABrokenConnectionFromADamagedArchive(t *testing.T) {
	broken := errors.New("connection reset")
	r := io.MultiReader(bytes.NewReader(packed(t)[:100]), iotest.ErrReader(broken))
	if _, err := archive.Read("b.tar.gz", r, archive.Limits{}); !errors.Is(err, broken) {
		t.Errorf("error %v", err)
	}
}
