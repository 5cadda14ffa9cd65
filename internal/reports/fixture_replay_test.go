package reports_test

import (
	"time"

	"github.com/authz-sidecar/sidecar/internal/replay"
)

// flipped is a replay in which decisions of each class change.
func flipped() *replay.Report {
	counts := replay.Counts{DenyToAllow: 2, AllowToDeny: 31, ToError: 1, FromError: 1, AnswerChanged: 4,
		Unchanged: 9600}
	few := replay.Counts{DenyToAllow: 2, AllowToDeny: 5, Unchanged: 1200}
	rule := replay.Rule{Rule: "data.authz.allowed", File: "orders/authz.rego", Row: 41}
	table := func(names ...string) replay.Table {
		t := replay.Table{Left: 7, LeftRows: 2}
		for _, n := range names {
			t.Rows = append(t.Rows, replay.Row{Name: n, Decisions: few.All(), Counts: few})
		}
		return t
	}
	at := func(id string, line int) replay.Reference {
		return replay.Reference{DecisionID: id, Time: noon().Add(-time.Hour), Log: "decisions.jsonl", Line: line}
	}
	return &replay.Report{
		Format:    replay.Format,
		Candidate: replay.Policy{Name: "orders-1.4.tar.gz", Revision: "1.4", Digest: newDigest},
		Logs: []replay.Log{{Name: "decisions.jsonl", Bytes: 8_412_300, Lines: 10_001, Events: 10_000,
			FirstBad: "line 977: it ends within an object"}},
		First: noon().Add(-24 * time.Hour), Last: noon(),
		Totals: replay.Totals{Events: 10_000, NotDecided: 301, NotReplayable: 60, Replayed: 9_639, BadLines: 1},

		Changes: counts,
		Checks: []replay.Check{
			{Name: "max-deny-to-allow", Limit: "0", Actual: 2, Of: 9_639,
				Text: "decisions that change from deny to allow"},
			{Name: "max-errors", Limit: "1%", Actual: 1, Of: 9_639, Passed: true, Text: "decisions without a verdict"},
		},
		NotReplayable: []replay.Obstacle{{Class: replay.MaskedInput, Count: 60,
			Text:    "members are masked that the policies may read",
			Details: []replay.Count{{Name: "/input/token/subject/id", Count: 60}}, Example: at("01JD5", 12)}},
		NotDecided: []replay.Count{{Name: "unauthenticated", Count: 300}, {Name: "unavailable", Count: 1}},
		Recorded:   []replay.RecordedPolicy{{Revisions: []string{"orders=1.3"}, Digest: oldDigest, Decisions: 9_639}},
		By: replay.Breakdown{Routes: table("list_orders", "delete_order"), Clients: table("web", ""),
			Tenants: table("acme"), Scopes: table("orders:read"), Reasons: table("-missing_role", "+missing_scope"),
			Entrypoints: table("authz/decision"), Rules: replay.RuleTable{Explained: 33, Changed: 39,
				Rows: []replay.RuleRow{{Rule: rule, Counts: few}}}},
		Examples: []replay.Example{
			{Class: replay.DenyToAllow, Reference: at("01JD7", 404), Entrypoint: "authz/decision", Method: "DELETE",
				Path: "/orders/42", Route: "delete_order", Client: "web", Subject: "alice", Tenant: "acme",
				Scopes: []string{"orders:read", "orders:write"}, Differs: []string{"kind", "status"},
				Was: replay.Answer{Kind: "deny", Status: 403, Reasons: []replay.Reason{{Code: "missing_role",
					Message: "orders-admin is needed"}}},
				Now: replay.Answer{Kind: "allow", Status: 200}, NowBy: &rule,
				Why: "allowed by data.authz.allowed (orders/authz.rego:41)\n  input.token.groups = " +
					"[\"orders-admin\"]",
				Command: "sidecar explain 01JD7 --log decisions.jsonl --policies orders-1.4.tar.gz"},
			{Class: replay.ToError, Reference: at("01JD8", 405), Entrypoint: "authz/decision", Method: "GET",
				Path: "/orders", Was: replay.Answer{Kind: "allow", Status: 200},
				Now:     replay.Answer{Kind: "misconfigured", Status: 500, Cause: "the policy is undefined"},
				Command: "sidecar explain 01JD8 --log decisions.jsonl --policies orders-1.4.tar.gz"},
		},
		Coverage: replay.Coverage{Entrypoints: []replay.Count{{Name: "authz/decision", Count: 9_639},
			{Name: "authz/admin"}}, Decisions: 2_000, Rules: 31, Reached: 30, Unreached: []replay.Rule{
			{Rule: "data.authz.risky", Part: "else", File: "orders/authz.rego", Row: 59}}},
		Notes:   []string{"the log was made by another version of the policies"},
		Seconds: 0.4, PerSecond: 24_100,
	}
}

// calm is a replay in which nothing changes.
func calm() *replay.Report {
	r := flipped()
	r.Changes, r.Passed = replay.Counts{Unchanged: 9_639}, true
	r.Checks, r.By, r.Examples, r.NotReplayable = r.Checks[1:], replay.Breakdown{}, nil, nil
	return r
}
