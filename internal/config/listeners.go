package config

import (
	"errors"
	"io/fs"
	"os"
	"slices"
)

// LoadListen reads the listeners of a configuration for a program that only wants to ask them, also where the rest of
// the file has faults: secrets that this program may not read, or directories that it does not see. A file that does
// not exist leaves the environment and the defaults, and found is false.
func LoadListen(file string, environ []string) (l Listen, found bool, err error) {
	var src []byte
	if _, err := os.Stat(file); !errors.Is(err, fs.ErrNotExist) {
		if src, err = read(file); err != nil {
			return Listen{}, true, Faults{{File: file, Cause: err.Error()}}
		}
		found = true
	}
	r := newReader(file)
	c, ok := r.parse(src, environ)
	faults := slices.DeleteFunc(r.faults.sorted(), func(f Fault) bool { return ok && !c.Listen.concerns(f) })
	if len(faults) > 0 {
		return Listen{}, found, faults
	}
	return c.Listen, found, nil
}

// concerns reports whether a fault may change where a listener is, or which certificate it has.
func (c Listen) concerns(f Fault) bool {
	if !within(f.Key, "listen") {
		return false
	}
	for _, l := range c.all() {
		for _, key := range []string{"tls.key_file", "tls.client_ca_file", "tls.client_names", "bearer_keys_file",
			"limits", "hosts"} {
			if within(f.Key, "listen."+l.name+"."+key) {
				return false
			}
		}
	}
	return true
}
