package dir

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"strings"
	"time"

	"github.com/authz-sidecar/sidecar/internal/bundle"
)

// Config says where policies come from.
type Config struct {
	Paths    []string      `yaml:"paths" path:"read" default:"policies" doc:"Directories of Rego (*.rego) and data (data.json, data.yaml), read together."`
	Bundles  []string      `yaml:"bundles" path:"read" doc:"Directories and archives (.tar.gz) in OPA's bundle layout, each with a .manifest that names its roots."`
	Ignore   []string      `yaml:"ignore" doc:"Names to ignore, as patterns such as '*.bak.rego' or 'deploy': of files and folders at any depth, or with a slash of paths below a directory."`
	Debounce time.Duration `yaml:"debounce" default:"100ms" min:"1ms" max:"10s" doc:"Time without further changes before a change is read."`
	// Embedded are sources that are part of the binary, besides the directories.
	Embedded []bundle.Source `yaml:"-"`
	// Beside returns further bundles, which change, with the problems of those that have nothing yet; nil stands for
	// none. What it returned once is not changed. It is called at each reading.
	Beside func() ([]Held, bundle.Problems) `yaml:"-"`
	// Poke makes a Watcher read soon, because Beside returns something else now. It may be nil.
	Poke <-chan struct{} `yaml:"-"`
	Poll time.Duration   `yaml:"poll" default:"5s" min:"100ms" doc:"How often contents are compared, for changes that no event reports."`
}

// Check is CheckDirectories without sources beside the directories.
func (c Config) Check(fault func(key, cause, hint string)) { c.CheckDirectories(0, fault) }

// CheckDirectories reports every directory that does not exist, with keys relative to c. There may be none where there
// are other sources.
func (c Config) CheckDirectories(sources int, fault func(key, cause, hint string)) {
	if len(c.Paths)+len(c.Bundles)+len(c.Embedded)+sources == 0 {
		fault("paths", "neither paths nor bundles names a directory", "name the directory of the policies")
	}
	for i, pattern := range c.Ignore {
		if _, err := path.Match(pattern, ""); err != nil || strings.Trim(pattern, "/") == "" {
			fault(fmt.Sprintf("ignore[%d]", i), fmt.Sprintf("%q is not a pattern", pattern),
				"write a name, or a pattern with * and ?, such as *.json")
		}
	}
	check := func(key string, dirs []string) {
		for i, dir := range dirs {
			at := fmt.Sprintf("%s[%d]", key, i)
			info, err := os.Stat(dir)
			switch {
			case errors.Is(err, fs.ErrNotExist):
				fault(at, fmt.Sprintf("directory %q does not exist", dir), remedy(dir))
			case err != nil:
				fault(at, fmt.Sprintf("directory %q cannot be read", dir),
					"look at its permissions, and those of the directories above it")
			case key == "bundles" && IsArchive(dir) && info.Mode().IsRegular():
			case IsArchive(dir) && !info.IsDir():
				fault(at, fmt.Sprintf("%q is an archive of a bundle", dir), "name it under policies.bundles")
			case !info.IsDir():
				fault(at, fmt.Sprintf("%q is not a directory", dir), "name the directory that holds it")
			}
		}
	}
	check("paths", c.Paths)
	check("bundles", c.Bundles)
}

// remedy says what to write in place of a directory that does not exist.
func remedy(dir string) string {
	switch {
	case strings.Contains(dir, ":/"):
		return "name it as url of an item of policies.sources"
	case strings.HasPrefix(dir, "~"):
		return "~ is not replaced: write the whole path"
	case strings.ContainsAny(dir, "*?"):
		return "patterns are not read here: name the directory above; all below it is read"
	}
	return "create it, or correct its name; a relative one starts at the configuration file"
}
