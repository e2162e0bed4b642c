package claims

import (
	"errors"
	"io"

	"go.yaml.in/yaml/v3"
)

var errEOF = io.EOF

// A size of a YAML node, with what its aliases unfold to.
type size struct{ nodes, bytes int64 }

// A counter of sizes. Each node is counted once, so that counting takes no longer than the text
// is long.
type counter struct {
	sizes map[*yaml.Node]size
	open  map[*yaml.Node]bool
}

func (c *counter) count(n *yaml.Node) (size, error) {
	if n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	if s, ok := c.sizes[n]; ok {
		return s, nil
	}
	if c.open[n] {
		return size{}, errors.New("an alias contains itself")
	}
	c.open[n] = true
	out := size{nodes: 1, bytes: int64(len(n.Value))}
	for _, child := range n.Content {
		s, err := c.count(child)
		if err != nil {
			return size{}, err
		}
		// Past the bounds it does not matter by how much, and must not overflow.
		out.nodes = min(out.nodes+s.nodes, 1<<40)
		out.bytes = min(out.bytes+s.bytes, 1<<40)
	}
	delete(c.open, n)
	c.sizes[n] = out
	return out, nil
}
