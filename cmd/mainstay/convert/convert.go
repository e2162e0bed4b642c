// Package convert reads applications from files and writes them as what they are not:
// those of core.oam.dev as ProductApplications, and the other way round. What is written
// goes to one stream, and what is to be said about it to another, so that the first can
// be applied.
//
// Deliberately absent: to decide anything. Package internal/convert does.
package convert

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	"sigs.k8s.io/yaml"

	"github.com/mainstay-dev/mainstay/internal/convert"
	"github.com/mainstay-dev/mainstay/internal/oam"
)

// maxDocument is the most bytes of one document.
const maxDocument = 4 << 20

// ErrProblems says that something was converted that the other side would not take.
var ErrProblems = errors.New("some of it is not taken as it is: see above")

// Stream converts all documents of a stream. What is converted is written although
// it has problems: they are said, and whoever applies it is told again.
func Stream(in io.Reader, out, says io.Writer) error {
	docs := utilyaml.NewYAMLReader(bufio.NewReader(io.LimitReader(in, maxDocument)))
	written, problems := 0, false
	for n := 1; ; n++ {
		doc, err := docs.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return fmt.Errorf("cannot read document %d: %w", n, err)
		}
		u := &unstructured.Unstructured{}
		if err := yaml.Unmarshal(doc, &u.Object); err != nil {
			return fmt.Errorf("cannot read document %d: %w", n, err)
		}
		if len(u.Object) == 0 {
			continue
		}
		r, err := convert.Convert(u)
		if err != nil {
			return fmt.Errorf("document %d: %w", n, err)
		}
		if err := write(out, r.Object, written > 0); err != nil {
			return err
		}
		written++
		problems = problems || len(r.Problems) > 0
		say(says, u, r)
	}
	switch {
	case written == 0:
		return errors.New("there is nothing to convert: give it an Application or a ProductApplication")
	case problems:
		return ErrProblems
	}
	return nil
}

func write(out io.Writer, u *unstructured.Unstructured, another bool) error {
	raw, err := yaml.Marshal(u.Object)
	if err != nil {
		return fmt.Errorf("cannot write %s %q: %w", u.GetKind(), u.GetName(), err)
	}
	if another {
		raw = append([]byte("---\n"), raw...)
	}
	_, err = io.Copy(out, bytes.NewReader(raw))
	return err
}

// say what is not taken, and what means something else.
func say(to io.Writer, u *unstructured.Unstructured, r *convert.Result) {
	line := func(word string, p oam.Problem) {
		_, _ = fmt.Fprintf(to, "%s %s: %s: %s\n", u.GetKind(), u.GetName(), word, strings.ReplaceAll(p.String(), "\n", " "))
	}
	for _, p := range r.Problems {
		line("not taken", p)
	}
	for _, p := range r.Notes {
		line("note", p)
	}
}
