package engine

import "crypto/sha3"

// seed is an endless stream derived from the id of a decision, so that the results of rand and uuid can be reproduced.
// Nothing is computed before the first read: most policies never read it.
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
