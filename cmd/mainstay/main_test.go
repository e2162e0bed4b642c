package main

import (
	"reflect"
	"testing"

	"github.com/alecthomas/kong"
	"github.com/google/go-cmp/cmp"
)

func TestName(t *testing.T) {
	cases := map[string]struct {
		reason string
		file   string
		want   string
	}{
		"Itself": {reason: "The command is called by its name.", file: "/usr/local/bin/mainstay", want: "mainstay"},
		"Plugin": {reason: "kubectl calls its plugins by their file.", file: "/usr/local/bin/kubectl-mainstay", want: "kubectl mainstay"},
		"Other":  {reason: "Whatever else it is called, it is the same command.", file: "./m", want: "mainstay"},
	}
	for called, tc := range cases {
		t.Run(called, func(t *testing.T) {
			if diff := cmp.Diff(tc.want, name(tc.file)); diff != "" {
				t.Errorf("\n%s\nname(...): -want, +got:\n%s", tc.reason, diff)
			}
		})
	}
}

// TestCommandLines parses command lines that are documented, and refuses others.
func TestCommandLines(t *testing.T) {
	cases := map[string]struct {
		reason string
		args   []string
		want   any
		refuse bool
	}{
		"Plan":         {reason: "Two folders, and in which form.", args: []string{"plan", "is", "wanted", "-o", "markdown"}, want: &planCmd{}},
		"PlanForm":     {reason: "There are three forms.", args: []string{"plan", "is", "wanted", "-o", "yaml"}, refuse: true},
		"PlanShrink":   {reason: "It is a percentage.", args: []string{"plan", "is", "wanted", "--shrink", "0"}, refuse: true},
		"Status":       {reason: "As kubectl's flags.", args: []string{"rollout", "status", "shop", "-n", "team-a", "--context", "hub", "-o", "json"}, want: &rolloutStatusCmd{}},
		"Watch":        {reason: "For a time.", args: []string{"rollout", "watch", "shop", "--timeout", "10m"}, want: &rolloutWatchCmd{}},
		"ApproveNone":  {reason: "To list what there is.", args: []string{"rollout", "approve", "shop"}, want: &rolloutApproveCmd{}},
		"ApproveSome":  {reason: "Several at once.", args: []string{"rollout", "approve", "shop", "europe/go", "look"}, want: &rolloutApproveCmd{}},
		"Rollback":     {reason: "For one revision, without a question.", args: []string{"rollout", "rollback", "shop", "--revision", "3f2a1b", "--yes"}, want: &rolloutRollbackCmd{}},
		"Deletions":    {reason: "A word of two words.", args: []string{"rollout", "allow-deletions", "shop", "-y"}, want: &rolloutAllowDeletionsCmd{}},
		"Explain":      {reason: "Kind and name.", args: []string{"explain", "app/shop", "--no-deep"}, want: &explainCmd{}},
		"ExplainWords": {reason: "In two words.", args: []string{"explain", "fleet", "prod"}, want: &explainCmd{}},
		"ExplainPod":   {reason: "What cannot be explained is a wrong command line.", args: []string{"explain", "pod/web"}, refuse: true},
		"Format":       {reason: "There are three forms.", args: []string{"rollout", "status", "shop", "-o", "xml"}, refuse: true},
		"NoName":       {reason: "Of which application?", args: []string{"rollout", "pause"}, refuse: true},
		"ChangeList":   {reason: "Everywhere.", args: []string{"change", "list", "-A", "--all", "-o", "json"}, want: &changeListCmd{}},
		"ChangeShow":   {reason: "By the number of the merge request.", args: []string{"change", "show", "41", "-n", "ops"}, want: &changeShowCmd{}},
		"ChangeStatus": {reason: "As with rollouts.", args: []string{"change", "status", "claims-41"}, want: &changeShowCmd{}},
		"ChangeAudit":  {reason: "Compared with a commit.", args: []string{"change", "audit", "claims-41", "--commit-message", "-"}, want: &changeAuditCmd{}},
		"ChangeTell":   {reason: "Of one plan, without a question.", args: []string{"change", "abandon", "claims-41", "--plan", "3f2a1b", "-y"}, want: &changeAbandonCmd{}},
		"ChangeToken":  {reason: "The token belongs to it.", args: []string{"change", "approve-deletions", "claims-41", "0123456789ab"}, want: &changeDeletionsCmd{}},
		"ChangeReason": {reason: "An emergency has a reason.", args: []string{"change", "emergency", "claims-41"}, refuse: true},
		"ChangeQueue":  {reason: "There is one on a hub.", args: []string{"change", "queue", "-o", "yaml"}, want: &changeQueueCmd{}},
		"Convert":      {reason: "A file is needed.", args: []string{"convert"}, refuse: true},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			k, err := kong.New(&command{}, kong.Vars{"version": "v0"}, kong.Exit(func(int) {}))
			if err != nil {
				t.Fatal(err)
			}
			ctx, err := k.Parse(tc.args)
			if (err != nil) != tc.refuse {
				t.Fatalf("\n%s\nParse(%v): refuse %t, got error %v", tc.reason, tc.args, tc.refuse, err)
			}
			if err != nil {
				return
			}
			if got := ctx.Selected().Target.Addr().Interface(); reflect.TypeOf(got) != reflect.TypeOf(tc.want) {
				t.Errorf("\n%s\nParse(%v): want %T, got %T", tc.reason, tc.args, tc.want, got)
			}
		})
	}
	if exit(80) != 2 || exit(1) != 1 || exit(0) != 0 {
		t.Error("A wrong command line exits with 2, a failure with 1.")
	}
}
