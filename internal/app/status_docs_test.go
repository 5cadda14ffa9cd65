package app

import (
	"bytes"
	"encoding/json"
	"os"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"github.com/authz-sidecar/sidecar/internal/status"
)

// statusSection is what docs/api.md says of the status.
func statusSection(t *testing.T) string {
	t.Helper()
	page, err := os.ReadFile("../../docs/api.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, _ := strings.Cut(string(page), "\n## Status\n")
	section, _, ok := strings.Cut(section, "\n## ")
	if !ok {
		t.Fatal("docs/api.md has no section about the status")
	}
	return section
}

// TestTheStatusInTheGuideHasNoOtherMembers: what the page shows is what a sidecar could answer.
func TestTheStatusInTheGuideHasNoOtherMembers(t *testing.T) {
	blocks := regexp.MustCompile("(?ms)^```json\n(.*?)^```").FindAllStringSubmatch(statusSection(t), -1)
	for n, into := range []any{&status.Report{}, &status.Event{}} {
		d := json.NewDecoder(bytes.NewReader([]byte(blocks[n][1])))
		d.DisallowUnknownFields()
		if err := d.Decode(into); err != nil {
			t.Errorf("%v: %s", err, blocks[n][1])
		}
	}
}

func TestTheGuideNamesEveryMemberOfTheStatus(t *testing.T) {
	section := statusSection(t)
	for name := range members(reflect.TypeFor[status.Report](), map[string]bool{}) {
		if !regexp.MustCompile("[`\"._]" + name + "[`\"]").MatchString(section) {
			t.Errorf("docs/api.md does not name %s", name)
		}
	}
}

// members adds the names of a type's members, and of theirs, to all.
func members(of reflect.Type, all map[string]bool) map[string]bool {
	switch of.Kind() {
	case reflect.Pointer, reflect.Slice:
		return members(of.Elem(), all)
	case reflect.Struct:
	default:
		return all
	}
	for i := range of.NumField() {
		if name, _, _ := strings.Cut(of.Field(i).Tag.Get("json"), ","); name != "" {
			all[name] = true
			members(of.Field(i).Type, all)
		}
	}
	return all
}
