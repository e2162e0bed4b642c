package gitea

import (
	_ "embed" // The style sheet.
	"fmt"
	"os"
	"path/filepath"

	"github.com/mainstay-dev/mainstay/provider/backend/local/statedir"
)

//go:embed assets/index.css
var style []byte

// assets take the place of the front end that is not built: a style sheet of our own, and
// no scripts. Without the files every page would complain.
func (in installation) assets() error {
	for file, content := range map[string][]byte{
		"css/index.css": style, "css/theme-gitea-auto.css": nil, "js/iife.js": nil, "js/index.js": nil,
	} {
		path := filepath.Join(in.dir, "custom", "public", "assets", filepath.FromSlash(file))
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			return fmt.Errorf("cannot make folder for assets of Gitea: %w", err)
		}
		if err := statedir.WriteFile(path, content); err != nil {
			return fmt.Errorf("cannot write assets of Gitea: %w", err)
		}
	}
	return nil
}
