package dialect

import (
	"slices"
	"testing"
)

func TestTrap15_ZitadelRolesAreAnObject(t *testing.T) {
	for members, want := range map[string][]string{
		`"urn:zitadel:iam:org:project:roles":{"admin":{"o1":"a"},"reader":{"o1":"a","o2":"b"}}`: {"admin", "o1:admin",
			"o1:reader", "o2:reader", "reader"},
		`"urn:zitadel:iam:org:project:p1:roles":{"admin":{"o1":"a"}}`: {"p1:admin",
			"p1:o1:admin"},
		`"urn:zitadel:iam:org:project:roles":{"admin":{}}`:                                     nil,
		`"urn:zitadel:iam:org:project:roles":{"admin":null,"b":"o1","c":["o1"],"":{"o1":"a"}}`: nil,
		`"urn:zitadel:iam:org:project:roles":["admin"]`:                                        nil,
		`"urn:zitadel:iam:org:project:roles":"admin"`:                                          nil,
		`"urn:zitadel:iam:org:project::roles":{"admin":{"o1":"a"}}`:                            nil,
		`"urn:zitadel:iam:org:project:p1roles":{"admin":{"o1":"a"}}`:                           nil,
		`"urn:zitadel:iam:org:projects:roles":{"admin":{"o1":"a"}}`:                            nil,
		`"roles":["admin"]`: nil,
	} {
		if got := normalised(t, in("zitadel"), active(members)).Roles; !slices.Equal(got, want) {
			t.Errorf("{%s}: %q", members, got)
		}
		if got := normalised(t, in("rfc7662"), active(members)).Roles; len(got) > 0 && members != `"roles":["admin"]` {
			t.Errorf("rfc7662 {%s}: %q", members, got)
		}
	}
}
