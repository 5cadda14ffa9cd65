package replay

import (
	"errors"
	"fmt"
	"io"
	"os"
	"slices"

	"github.com/authz-sidecar/sidecar/internal/decisionlog"
)

// Events is where recorded decisions come from: Logs, or Records.
type Events interface {
	// Next returns the next event, and io.EOF at the end. Its Line is good until the next call.
	Next() (Item, error)
	// Read tells how many bytes of how many were read, and 0 where that is not known.
	Read() (done, total int64)
}

// Item is a recorded decision: the line of a log, or the record itself.
type Item struct {
	Line   []byte
	Record *decisionlog.Record
	// Log and Number say where Line stands, from 1.
	Log    string
	Number int
	// Err is why the line was not read: it is too long.
	Err error
}

// Records are decisions that were kept in memory, such as the recent ones of a gate. Input of each is the
// *input.Document that the policy read, and Result what it returned, before any mask.
func Records(list []*decisionlog.Record) Events { return &records{list} }

type records struct{ list []*decisionlog.Record }

func (r *records) Next() (Item, error) {
	if len(r.list) == 0 {
		return Item{}, io.EOF
	}
	next := r.list[0]
	r.list = r.list[1:]
	return Item{Record: next}, nil
}

func (r *records) Read() (done, total int64) { return 0, 0 }

// Logs are the events of files, one file after another. Files may be compressed by gzip.
type Logs struct {
	names []string
	stdin io.Reader
	total int64

	open   io.Closer
	lines  *decisionlog.Reader
	name   string
	count  *counter
	before int64
	// sizes are how much was read of each file.
	sizes map[string]int64

	// ahead are items that First read, and failed is what ended it.
	ahead  []Item
	failed error
}

// Open returns the events of files; the name "-" stands for stdin. A file that is not there is an error.
func Open(names []string, stdin io.Reader) (*Logs, error) {
	l := &Logs{names: names, stdin: stdin, sizes: map[string]int64{}}
	for _, name := range names {
		if name == "-" {
			l.total = -1
			continue
		}
		info, err := os.Stat(name)
		switch {
		case err != nil:
			return nil, fmt.Errorf("read decision log: %w", err)
		case info.IsDir():
			return nil, fmt.Errorf("read decision log: %q is a directory: name its files", name)
		case !info.Mode().IsRegular():
			l.total = -1
		case l.total >= 0:
			l.total += info.Size()
		}
	}
	return l, nil
}

// First returns the entrypoint of the first event; "" when there is none among the first lines. It is read again by
// Next.
func (l *Logs) First() string {
	for len(l.ahead) < maxAhead {
		item, err := l.next()
		if err != nil {
			l.failed = err
			break
		}
		item.Line = slices.Clone(item.Line)
		l.ahead = append(l.ahead, item)
		if e, err := read(item.Line); item.Err == nil && err == nil {
			return e.entrypoint
		}
	}
	return ""
}

// maxAhead is how many lines First reads.
const maxAhead = 100

// Next implements Events.
func (l *Logs) Next() (Item, error) {
	if len(l.ahead) > 0 {
		next := l.ahead[0]
		l.ahead = l.ahead[1:]
		return next, nil
	}
	if l.failed != nil {
		return Item{}, l.failed
	}
	return l.next()
}

func (l *Logs) next() (Item, error) {
	for {
		if l.lines == nil {
			if err := l.nextFile(); err != nil {
				return Item{}, err
			}
		}
		line, number, err := l.lines.Line()
		if bad, ok := errors.AsType[*decisionlog.LineError](err); ok {
			return Item{Log: l.name, Number: number, Err: bad.Err}, nil
		}
		switch {
		case err == nil:
			return Item{Line: line, Log: l.name, Number: number}, nil
		case !errors.Is(err, io.EOF):
			l.Close()
			return Item{}, fmt.Errorf("read decision log %q, line %d: %w", l.name, number, err)
		}
		l.Close()
	}
}

func (l *Logs) nextFile() error {
	if len(l.names) == 0 {
		return io.EOF
	}
	l.name, l.names = l.names[0], l.names[1:]
	in := l.stdin
	if l.name != "-" {
		f, err := os.Open(l.name)
		if err != nil {
			return fmt.Errorf("read decision log: %w", err)
		}
		l.open, in = f, f
	}
	l.count = &counter{from: in}
	l.lines = decisionlog.NewReader(l.count)
	return nil
}

// Close closes the file that is being read.
func (l *Logs) Close() {
	if l.count != nil {
		l.before += l.count.n
		l.sizes[l.name] += l.count.n
	}
	if l.open != nil {
		_ = l.open.Close() // it was only read
	}
	l.open, l.lines, l.count = nil, nil, nil
}

// Read implements Events.
func (l *Logs) Read() (done, total int64) {
	done = l.before
	if l.count != nil {
		done += l.count.n
	}
	return done, max(l.total, 0)
}

// counter counts what is read.
type counter struct {
	from io.Reader
	n    int64
}

func (c *counter) Read(p []byte) (int, error) {
	n, err := c.from.Read(p)
	c.n += int64(n)
	return n, err
}
