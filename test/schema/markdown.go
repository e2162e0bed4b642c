package schema

import (
	"bytes"
	"strings"
)

// Fenced returns the contents of the code blocks of a language in a Markdown
// text, whatever else their first line says.
func Fenced(markdown []byte, language string) [][]byte {
	var out [][]byte
	var block *bytes.Buffer
	indent := ""
	for line := range strings.Lines(string(markdown)) {
		text := strings.TrimSpace(line)
		switch {
		case block == nil && (text == "```"+language || strings.HasPrefix(text, "```"+language+" ")):
			block = &bytes.Buffer{}
			indent, _, _ = strings.Cut(line, "```")
		case block != nil && text == "```":
			out = append(out, block.Bytes())
			block = nil
		case block != nil:
			block.WriteString(strings.TrimPrefix(line, indent))
		}
	}
	return out
}
