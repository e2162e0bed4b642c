package claims

import (
	"bytes"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"sync"

	"go.yaml.in/yaml/v3"
	"k8s.io/apimachinery/pkg/util/json"
	sigsyaml "sigs.k8s.io/yaml"

	"github.com/mainstay-dev/mainstay/internal/tree"
)

// Bounds of one YAML document.
const (
	maxDocuments = 1000    // in one file.
	maxNodes     = 100_000 // of one document, with what its aliases unfold to.
	maxMemo      = 64 << 20
)

// A document of a file, parsed.
type document struct {
	Source
	object map[string]any
	// known is what was worked out of it before. Nil where it is read once only.
	known *known
}

// known of a document, once for all trees that have it: they share the claim.
type known struct {
	once  sync.Once
	claim *Claim
	err   error
}

// file of a tree as documents, and its size. Documents are the same for the same content.
func (r *Reader) file(files tree.Files, blobs tree.Blobs, p string) ([]document, int64, error) {
	w := &watched{Blobs: blobs}
	f, err := files.Resolve(p, w)
	if w.err != nil {
		return nil, 0, &unreadable{err}
	}
	if err != nil {
		return nil, 0, err
	}
	key := f.ID + " " + p
	r.mu.Lock()
	docs, ok := r.memo[key]
	r.mu.Unlock()
	raw, size, err := content(blobs, f.ID, p, ok)
	if err != nil || ok {
		return docs, size, err
	}
	if docs, err = documents(p, raw); err != nil {
		return nil, size, err
	}
	for i := range docs {
		docs[i].known = &known{}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.memoSize += size; r.memoSize > maxMemo {
		r.memo, r.memoSize = map[string][]document{}, size
	}
	r.memo[key] = docs
	return docs, size, nil
}

// watched blobs tell whether it was they that failed.
type watched struct {
	tree.Blobs
	err error
}

func (w *watched) Size(id string) (int64, error) {
	n, err := w.Blobs.Size(id)
	w.err = errors.Join(w.err, err)
	return n, err
}

func (w *watched) Read(id string) ([]byte, error) {
	raw, err := w.Blobs.Read(id)
	w.err = errors.Join(w.err, err)
	return raw, err
}

// content of a file, and its size. It is refused by name where it is too large to be of claims.
func content(blobs tree.Blobs, id, p string, sizeOnly bool) ([]byte, int64, error) {
	size, err := blobs.Size(id)
	if err != nil {
		return nil, 0, &unreadable{fmt.Errorf("cannot read %s: %w", p, err)}
	}
	if size > MaxFileBytes {
		return nil, size, fmt.Errorf("file has %d bytes, and one that holds claims has at most %d: exclude it or split it", size, MaxFileBytes)
	}
	if sizeOnly {
		return nil, size, nil
	}
	raw, err := blobs.Read(id)
	if err != nil {
		return nil, 0, &unreadable{fmt.Errorf("cannot read %s: %w", p, err)}
	}
	return raw, size, nil
}

// documents of a file. All that cannot be parsed is told.
func documents(file string, raw []byte) ([]document, error) {
	var out []document
	var problems Problems
	parts := split(raw)
	if len(parts) > maxDocuments {
		return nil, fmt.Errorf("file has %d documents, and at most %d are read: split it", len(parts), maxDocuments)
	}
	for i, part := range parts {
		at := Source{File: file, Document: i + 1, Line: part.line}
		object, line, err := parse(part.raw)
		if err != nil {
			problems = append(problems, Problem{File: file, Document: at.Document, Line: part.line + max(line-1, 0), Message: err.Error()})
			continue
		}
		if object != nil {
			out = append(out, document{Source: at, object: object})
		}
	}
	if len(problems) > 0 {
		return nil, problems
	}
	return out, nil
}

// A part of a file between two lines of ---.
type part struct {
	raw  []byte
	line int
}

// split a file into its documents. Each begins in the line after its ---, or in that line where
// it goes on there. One without content is left out, and so it does not count.
func split(raw []byte) []part {
	var out []part
	begin := 1
	var at []byte
	end := func() {
		if hasContent(at) {
			skipped := len(at) - len(bytes.TrimLeft(at, "\n"))
			out = append(out, part{raw: at[skipped:], line: begin + skipped})
		}
		at = nil
	}
	raw = bytes.ReplaceAll(bytes.TrimPrefix(raw, []byte("\xef\xbb\xbf")), []byte("\r\n"), []byte("\n"))
	n := 0
	for line := range bytes.Lines(raw) {
		n++
		switch trimmed := string(bytes.TrimRight(line, " \t\n")); {
		case trimmed == "---" || trimmed == "...":
			end()
			begin = n + 1
		case strings.HasPrefix(trimmed, "--- ") || strings.HasPrefix(trimmed, "---\t"):
			end()
			begin = n
			at = append(at, "   "...)
			at = append(at, line[3:]...)
		default:
			at = append(at, line...)
		}
	}
	end()
	return out
}

// hasContent is true where there is more than comments.
func hasContent(raw []byte) bool {
	for line := range bytes.Lines(raw) {
		if t := bytes.TrimSpace(line); len(t) > 0 && t[0] != '#' {
			return true
		}
	}
	return false
}

// yamlLine is how the parser names lines.
var yamlLine = regexp.MustCompile(`^(?:error converting YAML to JSON: )?(?:yaml: )?(?:unmarshal errors:\s*)?line (\d+): `)

// parse one document as the API server's clients do. The line is that of the error within the
// document, 0 where it is not known. A document that is null gives nothing.
func parse(raw []byte) (map[string]any, int, error) {
	if err := checkAliases(raw); err != nil {
		return told(err)
	}
	plain, err := sigsyaml.YAMLToJSONStrict(raw)
	if err != nil {
		return told(err)
	}
	if bytes.Equal(plain, []byte("null")) {
		return nil, 0, nil
	}
	var object map[string]any
	if err := json.Unmarshal(plain, &object); err != nil || object == nil {
		return nil, 0, errors.New("is no object: a claim has apiVersion, kind, metadata and spec")
	}
	return object, 0, nil
}

// told is an error of the parser as people read it, and the line it names.
func told(err error) (map[string]any, int, error) {
	msg, line := err.Error(), 0
	if m := yamlLine.FindStringSubmatch(msg); m != nil {
		line, _ = strconv.Atoi(m[1])
		msg = msg[len(m[0]):]
	}
	msg = strings.TrimPrefix(strings.TrimPrefix(msg, "error converting YAML to JSON: "), "yaml: ")
	return nil, line, fmt.Errorf("cannot parse YAML: %s", cut(strings.Join(strings.Fields(msg), " ")))
}

// cut a message that repeats what a file says.
func cut(s string) string {
	if len(s) > 300 {
		return strings.ToValidUTF8(s[:300], "") + "…"
	}
	return s
}

// checkAliases refuses a document whose aliases unfold to more than a claim may be. They are
// counted and not unfolded.
func checkAliases(raw []byte) error {
	if !bytes.ContainsRune(raw, '*') || !bytes.ContainsRune(raw, '&') {
		return nil
	}
	dec := yaml.NewDecoder(bytes.NewReader(raw))
	for {
		var n yaml.Node
		if err := dec.Decode(&n); err != nil {
			if errors.Is(err, errEOF) {
				return nil
			}
			return err
		}
		c := counter{sizes: map[*yaml.Node]size{}, open: map[*yaml.Node]bool{}}
		s, err := c.count(&n)
		if err != nil {
			return err
		}
		if s.nodes > maxNodes || s.bytes > MaxClaimBytes {
			return errors.New("aliases unfold to more than a claim may have: write out less")
		}
	}
}
