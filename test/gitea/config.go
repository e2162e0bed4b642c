package gitea

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/mainstay-dev/mainstay/provider/backend/local/statedir"
)

// ini is the configuration. Secrets are given, because Gitea would write those that
// are missing into the file.
const ini = `APP_NAME = Mainstay's forge
RUN_MODE = prod
WORK_PATH = {dir}

[server]
HTTP_ADDR = 127.0.0.1
HTTP_PORT = {port}
ROOT_URL = http://127.0.0.1:{port}/
LOCAL_ROOT_URL = http://127.0.0.1:{port}/
STATIC_ROOT_PATH = {static}
DISABLE_SSH = true
LFS_START_SERVER = false
OFFLINE_MODE = true

[database]
DB_TYPE = sqlite3
PATH = {dir}/gitea.db
SQLITE_JOURNAL_MODE = WAL
SQLITE_TIMEOUT = 10000

[security]
INSTALL_LOCK = true
SECRET_KEY = {secret}
INTERNAL_TOKEN = {secret}
PASSWORD_HASH_ALGO = pbkdf2$1000$50

[oauth2]
ENABLED = false

[service]
DISABLE_REGISTRATION = true

[repository]
ROOT = {dir}/repositories
DEFAULT_BRANCH = main
DEFAULT_PRIVATE = private

; Else each merge has every other open merge request tried at once.
[repository.pull-request]
DELAY_CHECK_FOR_INACTIVE_DAYS = 0

[webhook]
ALLOWED_HOST_LIST = loopback
DELIVER_TIMEOUT = 5

[indexer]
ISSUE_INDEXER_TYPE = db

[log]
MODE = console
LEVEL = Warn

[mailer]
ENABLED = false

[actions]
ENABLED = false

[packages]
ENABLED = false

[picture]
DISABLE_GRAVATAR = true

[cron]
ENABLED = false
`

// configure writes the configuration where there is none, and returns the port.
func (in installation) configure(ctx context.Context) (int, error) {
	file := filepath.Join(in.dir, "port")
	b, err := os.ReadFile(file)
	switch {
	case err == nil:
		port, err := strconv.Atoi(string(b))
		if err != nil {
			return 0, fmt.Errorf("cannot read the port of Gitea: %w", err)
		}
		return port, nil
	case !errors.Is(err, fs.ErrNotExist):
		return 0, fmt.Errorf("cannot read the port of Gitea: %w", err)
	}
	port, err := freePort(ctx)
	if err != nil {
		return 0, fmt.Errorf("cannot find a port for Gitea: %w", err)
	}
	text := strings.NewReplacer(
		"{dir}", in.dir, "{static}", filepath.Join(in.binaries, "gitea.d"),
		"{port}", strconv.Itoa(port), "{secret}", random(),
	).Replace(ini)
	if err := statedir.WriteFile(in.ini(), []byte(text)); err != nil {
		return 0, fmt.Errorf("cannot write the configuration of Gitea: %w", err)
	}
	return port, statedir.WriteFile(file, []byte(strconv.Itoa(port)))
}

// Ports are drawn from below those that Linux gives to outgoing connections, so that
// a port is still free when Gitea starts again.
const firstPort, lastPort = 18000, 19999

func freePort(ctx context.Context) (int, error) {
	for p := firstPort + os.Getpid()%(lastPort-firstPort); p <= lastPort; p++ {
		l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(p)))
		if err == nil {
			return p, l.Close()
		}
	}
	return 0, errors.New("none is free")
}
