package source

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"time"
)

// store keeps the archive of a source that was activated last, in one file. The file's time of modification is when
// the server last confirmed it.
type store struct {
	file string

	mu   sync.Mutex
	told time.Time // when confirm last wrote
}

// newStore names the file by the source and its URL, so that an archive of another server is not taken for this one's.
func newStore(cfg Config) *store {
	sum := sha256.Sum256([]byte(cfg.URL))
	name := fmt.Sprintf("%s-%s.tar.gz", cfg.Name, hex.EncodeToString(sum[:4]))
	return &store{file: filepath.Join(cfg.Persist, name)}
}

// read returns the archive, and when it was confirmed; nil when there is none.
func (s *store) read(limit int64) ([]byte, time.Time, error) {
	info, err := os.Stat(s.file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, time.Time{}, nil
	}
	if err != nil {
		return nil, time.Time{}, errors.New(cause(err))
	}
	if !info.Mode().IsRegular() {
		return nil, time.Time{}, errors.New("is not a regular file")
	}
	raw, err := readBounded(s.file, limit)
	if err != nil {
		return nil, time.Time{}, errors.New(cause(err))
	}
	return raw, info.ModTime(), nil
}

// write replaces the archive: whole or not at all, and readable for the sidecar's user alone.
func (s *store) write(raw []byte, confirmed time.Time) error {
	temporary, err := os.CreateTemp(filepath.Dir(s.file), "."+filepath.Base(s.file)+".*.tmp") // 0600
	if err != nil {
		return errors.New(cause(err))
	}
	_, err = temporary.Write(raw)
	err = errors.Join(err, temporary.Sync(), temporary.Close())
	if err == nil {
		err = errors.Join(os.Chtimes(temporary.Name(), confirmed, confirmed), os.Rename(temporary.Name(), s.file))
	}
	if err != nil {
		_ = os.Remove(temporary.Name())
		return fmt.Errorf("write %s: %s", s.file, cause(err))
	}
	if dir, err := os.Open(filepath.Dir(s.file)); err == nil { // so that the new name outlasts a power failure
		_ = errors.Join(dir.Sync(), dir.Close())
	}
	return nil
}

// confirmEvery is how often the time of confirmation is written at most.
const confirmEvery = 10 * time.Second

// confirm records that the server still has the archive. A failure only makes the archive look older.
func (s *store) confirm(at time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if at.Sub(s.told) >= confirmEvery {
		s.told = at
		_ = os.Chtimes(s.file, at, at)
	}
}

// activated records which version decides, by its digest, and persists it.
func (s *source) activated(digest string) {
	s.mu.Lock()
	v := s.held
	if v != nil && v.Digest != digest {
		v = s.before // a newer one came meanwhile, and is about to be activated
	}
	if v == nil || v.Digest != digest {
		s.mu.Unlock()
		return
	}
	s.active = v
	if v == s.held {
		s.before = nil
	}
	s.mu.Unlock()
	s.persist(v)
}

// persist writes a version unless that was done.
func (s *source) persist(v *version) {
	s.mu.Lock()
	raw, confirmed := v.raw, s.confirmed
	s.mu.Unlock()
	if s.store == nil || raw == nil {
		return
	}
	err := s.store.write(raw, confirmed)
	if err == nil {
		s.mu.Lock()
		v.isStored, v.raw = true, nil
		s.mu.Unlock()
	}
	if s.written.IsNews(err) && err != nil {
		s.deps.Log.Error("policy source is not persisted: a start will need its server", "source", s.cfg.Name,
			"error", err)
	}
}

func (s *source) isActive(v *version) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.active == v
}

// stored is the version that is held, and whether the disk has it.
func (s *source) stored() (*version, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.held, s.held != nil && s.held.isStored
}
