package archive

import (
	"archive/tar"
	"bufio"
	"bytes"
	"cmp"
	"compress/flate"
	"compress/gzip"
	"errors"
	"fmt"
	"io"

	"github.com/authz-sidecar/sidecar/internal/bundle"
)

// Limits bound one archive. A zero is the usual bound.
type Limits struct {
	Compressed int64 // bytes of the archive; 64 MiB
	File       int64 // bytes of one file; 16 MiB
	Total      int64 // bytes of all files, with what tar adds to them; 256 MiB
	Files      int   // files and directories; 100,000
	// Ratio is how many bytes the first 16 MiB and more may come from one byte of the archive; 250.
	Ratio int64
}

// withDefaults is l with the usual bounds in place of zeros. They are those of directories.
func (l Limits) withDefaults() Limits {
	usual := Limits{Compressed: 64 << 20, File: 16 << 20, Total: 256 << 20, Files: 100_000, Ratio: 250}
	for _, b := range []struct{ have, want *int64 }{{&l.Compressed, &usual.Compressed}, {&l.File, &usual.File},
		{&l.Total, &usual.Total}, {&l.Ratio, &usual.Ratio}} {
		if *b.have == 0 {
			*b.have = *b.want
		}
	}
	if l.Files == 0 {
		l.Files = usual.Files
	}
	return l
}

// freeOfRatio is how much may be unpacked before Limits.Ratio is looked at: small files of equal lines shrink a lot.
const freeOfRatio = 16 << 20

// maxPadding is how many zeros may follow the last file: tar fills its last record up.
const maxPadding = 1 << 20

// Read reads a bundle. Name is that of its source. The error is bundle.Problems, but that of r itself, which is
// returned as it is, so that a connection that breaks is told from an archive that is wrong. No more than the bounds
// are read.
func Read(name string, r io.Reader, limits Limits) (*Archive, error) {
	lim := limits.withDefaults()
	in := &input{r: r, left: lim.Compressed}
	c := collector{Archive: &Archive{Name: name}, names: map[string]bool{}}
	err := c.readAll(in, lim)
	switch refused, ok := errors.AsType[refusal](err); {
	case in.err != nil:
		return nil, in.err
	case in.left < 0:
		c.problems.Add(name, bundle.CodeLimit, "the archive holds more than %d bytes", lim.Compressed)
	case ok:
		c.problems.Add(cmp.Or(refused.file, name), refused.code, "%s", refused.message)
	case err != nil:
		c.problems.Add(name, bundle.CodeArchive, "%s", damage(err))
	}
	return c.finish()
}

// refusal is why an archive is not read to its end.
type refusal struct {
	file          string // empty for the archive as a whole
	code, message string
}

func (r refusal) Error() string { return r.message }

func refuse(code, format string, args ...any) error {
	return refusal{code: code, message: fmt.Sprintf(format, args...)}
}

// damage says what is wrong with an archive that cannot be unpacked.
func damage(err error) string {
	if _, corrupt := errors.AsType[flate.CorruptInputError](err); corrupt {
		err = flate.CorruptInputError(0)
	}
	switch {
	case errors.Is(err, gzip.ErrHeader):
		return "is not compressed by gzip: a bundle is a .tar.gz, as sidecar bundle build and opa build write it"
	case errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.EOF):
		return "the archive ends too early: transfer it again"
	case errors.Is(err, gzip.ErrChecksum), errors.Is(err, flate.CorruptInputError(0)):
		return "the archive is damaged: its checksum or its compression is wrong; transfer it again"
	case errors.Is(err, tar.ErrHeader):
		return "the archive is damaged: what gzip holds is no tar archive"
	}
	return "the archive cannot be read: " + err.Error()
}

func (c *collector) readAll(in *input, lim Limits) error {
	// With a buffer that is an io.ByteReader, gzip takes no byte beyond its own end.
	compressed := bufio.NewReader(in)
	gz, err := gzip.NewReader(compressed)
	if err != nil {
		return err
	}
	gz.Multistream(false)
	plain := &unpacked{r: gz, in: in, lim: lim}
	if err := c.readTar(tar.NewReader(plain), lim); err != nil {
		return err
	}
	if err := checkPadding(plain); err != nil {
		return err
	}
	// Only now was the checksum of gzip compared, which OPA does not always wait for.
	if _, err := compressed.ReadByte(); !errors.Is(err, io.EOF) {
		return refuse(bundle.CodeArchive, "something follows the compressed data: OPA would leave it out")
	}
	return nil
}

// readTar takes the files, until all bounds are met or there are no more.
func (c *collector) readTar(tr *tar.Reader, lim Limits) error {
	var total int64
	for n := 0; ; n++ {
		h, err := tr.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if n >= lim.Files {
			return refuse(bundle.CodeLimit, "there are more than %d files and directories", lim.Files)
		}
		switch h.Typeflag {
		case tar.TypeDir, tar.TypeXGlobalHeader: // what git writes at the front of an archive
			continue
		case tar.TypeReg:
		default:
			c.problems.Add(c.show(h.Name), bundle.CodeArchive,
				"is a link or no file at all: OPA would leave it out; a bundle holds files and directories")
			continue
		}
		if h.Size > lim.File {
			return refusal{c.show(h.Name), bundle.CodeLimit,
				fmt.Sprintf("the file holds more than %d bytes", lim.File)}
		}
		if total += h.Size; total > lim.Total {
			return refuse(bundle.CodeLimit, "all files together hold more than %d bytes", lim.Total)
		}
		if !c.admit(h.Name) {
			continue
		}
		var raw bytes.Buffer
		if _, err := io.CopyN(&raw, tr, h.Size); err != nil {
			return err
		}
		c.add(h.Name, raw.Bytes())
	}
}

// checkPadding reads what follows the last file, which must be zeros, up to the checksum of gzip.
func checkPadding(r io.Reader) error {
	buf := make([]byte, 32<<10)
	for left := maxPadding; ; {
		n, err := r.Read(buf)
		if left -= n; left < 0 || len(bytes.Trim(buf[:n], "\x00")) > 0 {
			return refuse(bundle.CodeArchive, "something follows the last file: OPA would leave it out")
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// input counts what is read of an archive, ends after its bound, and keeps an error of the reader.
type input struct {
	r    io.Reader
	read int64
	left int64 // negative once there is more than the bound
	err  error
}

func (in *input) Read(p []byte) (int, error) {
	if in.left < 0 {
		return 0, io.EOF
	}
	n, err := in.r.Read(p[:min(int64(len(p)), in.left+1)])
	in.read, in.left = in.read+int64(n), in.left-int64(n)
	if err != nil && !errors.Is(err, io.EOF) {
		in.err = err
	}
	return n, err
}

// unpacked counts what gzip makes of an archive, and refuses what is more than the bounds.
type unpacked struct {
	r    io.Reader
	in   *input
	lim  Limits
	read int64
}

func (u *unpacked) Read(p []byte) (int, error) {
	n, err := u.r.Read(p)
	u.read += int64(n)
	switch {
	case u.read > u.lim.Total+maxPadding:
		return 0, refuse(bundle.CodeLimit, "all files together hold more than %d bytes", u.lim.Total)
	case u.read > freeOfRatio && u.read/u.lim.Ratio > u.in.read:
		return 0, refuse(bundle.CodeLimit, "each byte unpacks to more than %d: no policy shrinks that much",
			u.lim.Ratio)
	}
	return n, err
}
