package engine

import "testing"

// owned is a bundle that owns orders/policy, beside plain policies.
func owned(plain string) map[string]string {
	return map[string]string{
		"policies/authz.rego": allowAll,
		"policies/other.rego": plain,
		"bundles/o/.manifest": `{"roots": ["orders/policy"]}`,
		"bundles/o/p.rego":    "package orders.policy\n\nx := 1\n",
	}
}

func TestModuleInsideTheRootsOfABundleIsRefused(t *testing.T) {
	refused(t, patient, owned("package orders.policy\n\ny := 1\n"),
		`policies/other.rego:1:1: roots_error: package data.orders.policy is inside the roots ["orders/policy"] of bundle bundles/o`)
}

func TestRuleInsideTheRootsOfABundleIsRefusedWhateverItsPackage(t *testing.T) {
	refused(t, patient, owned("package orders\n\npolicy.y := 1\n\nfine := 2\n"),
		`policies/other.rego:3:1: roots_error: rule data.orders.policy.y is inside the roots ["orders/policy"] of bundle bundles/o`)
}

func TestRuleThatHoldsTheRootOfABundleIsRefused(t *testing.T) {
	files := owned("package orders\n\npolicy[x] := 1 if some x in [\"y\"]\n")
	refused(t, patient, files,
		`policies/other.rego:3:1: roots_error: rule data.orders.policy is inside the roots ["orders/policy"] of bundle bundles/o`)
	files["policies/other.rego"] = "package all\n\norders[x][y] := 1 if some x, y in [\"z\"]\n"
	files["bundles/o/.manifest"] = `{"roots": ["all/orders/policy"]}`
	files["bundles/o/p.rego"] = "package all.orders.policy\n\nx := 1\n"
	refused(t, patient, files,
		`policies/other.rego:3:1: roots_error: rule data.all.orders holds the root "all/orders/policy" of bundle bundles/o`)
}

func TestModuleOutsideTheRootsOfItsBundleIsRefused(t *testing.T) {
	files := owned("package fine\n\nx := 1\n")
	files["bundles/o/p.rego"] = "package orders\n\nx := 1\n"
	refused(t, patient, files,
		`bundles/o/p.rego:1:1: roots_error: package data.orders is outside the roots ["orders/policy"] of its bundle`)
}

func TestMisplacedModulesAreReportedTogetherWithCompileErrors(t *testing.T) {
	refused(t, patient, owned("package orders.policy.sub\n\ny if input.token.activ\n"),
		`policies/other.rego:1:1: roots_error: package data.orders.policy.sub is inside the roots ["orders/policy"] of bundle bundles/o`,
		`policies/other.rego:3:6: rego_type_error: undefined ref: input.token.activ (have: "activ", want (one of): ["active" "actor" "age" "audiences" "auth" "authorization_details" "binding" "claims" "client_id" "expires_at" "groups" "id" "issued_at" "issuer" "kind" "not_before" "permissions" "present" "roles" "scheme" "scopes" "source" "stale" "subject" "tenant"]); did you mean input.token.active?`)
}

func TestBundlesBesideEachOtherCompile(t *testing.T) {
	if _, err :=
		compiled(t, patient, owned("package orders\n\nx := data.orders.policy.x\n\ny.z contains 1\n")); err != nil {
		t.Error(err)
	}
}
