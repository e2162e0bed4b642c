package demo

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/mainstay-dev/mainstay/cmd/mainstay/step"
)

// The application that merge requests change, and where.
const (
	cart          = "cart"
	cartNamespace = "shop"
	cartFile      = "shop/cart.yaml"
	branchPrefix  = "cart-"
)

var cartImage = regexp.MustCompile(`(image: registry[.]example[.]org/shop/cart):\S+`)

// version that a merge request releases. Numbers of merge requests are never used again,
// so neither are versions, however often the demo runs.
func version(number int64) string { return fmt.Sprintf("1.%d.0", number) }

// bumped is the claim with another image, and nothing else.
func bumped(claim, tag string) (string, error) {
	if !cartImage.MatchString(claim) {
		return "", fmt.Errorf("cannot find the image in %s: somebody else has edited it", cartFile)
	}
	return cartImage.ReplaceAllString(claim, "${1}:"+tag), nil
}

// renamed is a release that gives a setting another name, and forgets who reads it.
func renamed(claim, tag string) (string, error) {
	if !strings.Contains(claim, "currency: EUR\n") {
		return "", fmt.Errorf("cannot find the setting in %s: somebody else has edited it", cartFile)
	}
	return bumped(strings.Replace(claim, "currency: EUR\n", "defaultCurrency: EUR\n", 1), tag)
}

// images of cart by cluster, as "<tag> <ready replicas>".
func (d *Demo) images(ctx context.Context) (map[string]string, error) {
	clusters, err := d.clusters(ctx)
	if err != nil {
		return nil, err
	}
	out := map[string]string{}
	for _, c := range clusters {
		says, err := d.onCluster(ctx, c, "-n", cartNamespace, "get", "deployment", cart, "-o",
			`jsonpath={.spec.template.spec.containers[0].image}{" "}{.status.readyReplicas}`)
		if err != nil {
			return nil, err
		}
		_, image, _ := strings.Cut(says, "/shop/cart:")
		_, name, _ := strings.Cut(c, "/")
		out[name] = image
	}
	return out, nil
}

// tagOf images that are all the same.
func tagOf(images []string) string {
	if len(images) == 0 {
		return ""
	}
	tag, _, _ := strings.Cut(images[0], " ")
	return tag
}

// runs waits until all clusters run one version and have it ready; any version, where none
// is asked for.
func (d *Demo) runs(ctx context.Context, tag string) error {
	return d.cfg.Log.Do(ctx, "  All clusters are looked at", func(ctx context.Context, waiting step.Waiting) error {
		return d.awaitFor(ctx, scenePatience, waiting, func(ctx context.Context) error {
			images, err := d.images(ctx)
			if err != nil {
				return err
			}
			if len(images) == 0 {
				return errors.New("the clusters of the fleet")
			}
			return unlike(images, tag)
		})
	})
}

// unlike says which cluster does not run a version, or not ready.
func unlike(images map[string]string, tag string) error {
	for _, cluster := range slices.Sorted(maps.Keys(images)) {
		has, ready, _ := strings.Cut(images[cluster], " ")
		if tag == "" {
			tag = has
		}
		if has != tag || ready == "" || ready == "0" {
			return fmt.Errorf("%s, which runs cart:%s with %q replicas ready instead of cart:%s", cluster, has, ready, tag)
		}
	}
	return nil
}

// releasesNow says what each cluster is asked for, and with which it is satisfied.
func (d *Demo) releasesNow(ctx context.Context) (string, error) {
	return d.kubectl(ctx, "-n", cartNamespace, "get", "releases.m.mainstay.dev", "-l", "mainstay.dev/rollout="+cart, "-o",
		`jsonpath={range .items[*]}{.metadata.name}{" "}{.metadata.generation}{"; "}{end}`)
}
