package demo

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"

	sdk "code.gitea.io/sdk/gitea"

	"github.com/mainstay-dev/mainstay/cmd/mainstay/step"
	"github.com/mainstay-dev/mainstay/provider/backend/local/statedir"
	"github.com/mainstay-dev/mainstay/test/gitea"
)

// Who and what there is on the forge. Examples of examples/change name them, too.
const (
	forgeOrg, forgeRepository = "platform", "claims"

	developer = "ada"
	sre       = "bob"
	otherSRE  = "carol"
	robot     = "mainstay"
)

// rights of everybody in the repository.
var rights = map[string]string{developer: "write", sre: "write", otherSRE: "write", robot: "admin"}

// A person of the forge. Passwords and tokens are the demo's own, good for nothing else.
type person struct {
	Password string `json:"password"`
	Token    string `json:"token,omitempty"`
}

// A forge is the demo's Gitea, with a repository of claims and people who work with it.
type forge struct {
	server *gitea.Server
	people map[string]person
	// webhook is what deliveries are signed with.
	webhook string
}

// upForge starts the forge, or finds it as it was left.
func (d *Demo) upForge(ctx context.Context) (*forge, error) {
	f := &forge{}
	err := d.cfg.Log.Do(ctx, "Gitea runs", func(ctx context.Context, waiting step.Waiting) (err error) {
		waiting("Gitea to answer")
		f.server, err = gitea.Start(ctx, d.forgeState(), d.cfg.Binaries)
		return err
	})
	if err != nil {
		return nil, err
	}
	err = d.cfg.Log.Do(ctx, "Developer, SREs and the repository of claims are there", func(ctx context.Context, waiting step.Waiting) error {
		waiting("users of the forge")
		if err := f.meet(ctx, filepath.Join(d.forgeState(), "people.json")); err != nil {
			return err
		}
		waiting("the repository of claims")
		return d.seed(ctx, f)
	})
	return f, err
}

func (d *Demo) forgeState() string { return filepath.Join(d.state(), "gitea") }

// meet everybody. Who they are is written down, so that the next run meets the same.
func (f *forge) meet(ctx context.Context, file string) error {
	known := struct {
		People  map[string]person `json:"people"`
		Webhook string            `json:"webhook"`
	}{People: map[string]person{}}
	b, err := os.ReadFile(file)
	if err == nil {
		err = json.Unmarshal(b, &known)
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("cannot read who is on the forge: %w", err)
	}
	save := func() error {
		b, err := json.Marshal(known)
		if err != nil {
			return fmt.Errorf("cannot encode who is on the forge: %w", err)
		}
		return statedir.WriteFile(file, b)
	}
	if known.Webhook == "" {
		known.Webhook = random(20)
	}
	for _, name := range []string{developer, sre, otherSRE, robot} {
		p := known.People[name]
		if p.Token != "" {
			continue
		}
		// The password is on record before the user is made: who is stopped in between
		// goes on with it.
		if p.Password == "" {
			p.Password = name + "-" + random(3)
			known.People[name] = p
			if err := save(); err != nil {
				return err
			}
		}
		if p.Token, err = f.server.User(ctx, name, p.Password); err != nil {
			return err
		}
		known.People[name] = p
		if err := save(); err != nil {
			return err
		}
	}
	f.people, f.webhook = known.People, known.Webhook
	return nil
}

// seed the repository with the claims that the demo applied, where it is not there yet.
func (d *Demo) seed(ctx context.Context, f *forge) error {
	admin, err := f.server.Client(ctx, f.server.Token)
	if err != nil {
		return err
	}
	if _, resp, err := admin.GetOrg(forgeOrg); missing(resp) {
		if err := f.server.Organization(ctx, forgeOrg); err != nil {
			return err
		}
	} else if err != nil {
		return fmt.Errorf("cannot look for organization %s: %w", forgeOrg, err)
	}
	if _, resp, err := admin.GetRepo(forgeOrg, forgeRepository); missing(resp) {
		if _, err := f.server.Repository(ctx, forgeOrg, forgeRepository, nil, rights); err != nil {
			return err
		}
	} else if err != nil {
		return fmt.Errorf("cannot look for repository %s: %w", forgeRepository, err)
	}
	if _, resp, err := admin.GetFile(forgeOrg, forgeRepository, "main", cartFile); !missing(resp) {
		if err != nil {
			return fmt.Errorf("cannot read %s: %w", cartFile, err)
		}
		return nil
	}
	files, err := d.seeds(ctx)
	if err != nil {
		return err
	}
	return gitea.Commit(admin, forgeOrg, forgeRepository, gitea.Change{Branch: "main", Message: "Claims as they are on the hub", Files: files, Over: true})
}

// seeds are the claims of the demo, each in the folder of its namespace.
func (d *Demo) seeds(ctx context.Context) (map[string]string, error) {
	out := map[string]string{"README.md": "# Claims\n\nWhat is on `main` is true. Whatever is to become true is a merge request.\n"}
	sources := map[string]string{
		"platform/analytics.yaml": filepath.Join(d.cfg.Examples, "fleet.yaml"),
		cartFile:                  filepath.Join(d.cfg.Examples, "..", "change", "cart.yaml"),
	}
	if now, err := d.rolloutNow(ctx); err == nil && now.phase == "Completed" {
		sources["shop/checkout.yaml"] = filepath.Join(d.cfg.Examples, "..", "rollout", "release-1.1.yaml")
	}
	for to, from := range sources {
		b, err := os.ReadFile(from)
		if err != nil {
			return nil, fmt.Errorf("cannot read claims: %w", err)
		}
		out[to] = string(b)
	}
	b, err := os.ReadFile(filepath.Join(d.cfg.Examples, "applications.yaml"))
	if err != nil {
		return nil, fmt.Errorf("cannot read claims: %w", err)
	}
	storefront, pipeline, _ := strings.Cut(string(b), "---\n")
	out["shop/storefront.yaml"], out["insight/pipeline.yaml"] = storefront, pipeline
	return out, nil
}

// as somebody of the forge.
func (f *forge) as(ctx context.Context, name string) (*sdk.Client, error) {
	return f.server.Client(ctx, f.people[name].Token)
}

// url of the repository, as a browser shows it.
func (f *forge) url() string { return f.server.URL + "/" + forgeOrg + "/" + forgeRepository }

func missing(resp *sdk.Response) bool {
	return resp != nil && resp.Response != nil && resp.StatusCode == http.StatusNotFound
}

// random text of so many bytes.
func random(n int) string {
	b := make([]byte, n)
	_, _ = rand.Read(b) // It never fails.
	return hex.EncodeToString(b)
}
