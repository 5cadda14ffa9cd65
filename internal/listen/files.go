package listen

import (
	"sync"
	"time"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/status"
)

// Files is what became of the files of a listener. The zero Files is ready for use.
type Files struct {
	mu      sync.Mutex // guards what follows
	faults  []func() (status.Fault, bool)
	expires func() time.Time // of the certificate; nil when there is none
}

// AddStatus adds why changed files are not in use, and when the certificate expires.
func (f *Files) AddStatus(to *status.Listener) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, fault := range f.faults {
		if what, ok := fault(); ok {
			to.Faults = append(to.Faults, what)
		}
	}
	if f.expires != nil {
		to.CertificateExpires = f.expires()
	}
}

func (f *Files) add(fault func() (status.Fault, bool)) {
	if f == nil {
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.faults = append(f.faults, fault)
}

func (f *Files) addCertificate(expires func() time.Time) {
	if f == nil {
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.expires = expires
}

// fault is why the newest content of the files is not in use; ok is false when it is.
func (r *reloaded[T]) fault() (f status.Fault, ok bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	cause := r.files.Fault()
	return status.Fault{Part: r.what, Kind: authz.Misconfigured.String(), Cause: cause, Since: r.since}, cause != ""
}
