package engine

import "crypto/sha3"

// seed is an endless stream derived from a decision's id, so that what rand and uuid gave can be had again. Most
// policies never read it: nothing is computed before the first read.
type seed struct {
	id     string
	stream *sha3.SHAKE
}

func (s *seed) Read(p []byte) (int, error) {
	if s.stream == nil {
		s.stream = sha3.NewSHAKE128()
		_, _ = s.stream.Write([]byte(s.id))
	}
	return s.stream.Read(p)
}
