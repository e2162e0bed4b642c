package tree

import (
	"fmt"
	"slices"
)

// MaxCommits of a history. More is refused: what a merge request stems from cannot be said
// without all of them.
const MaxCommits = 200_000

// A History says how two commits stand to each other.
type History struct {
	// Bases are the latest commits that both stem from, sorted. Usually one. None where the
	// two have nothing in common, several where each was merged into the other.
	Bases []string
	// Ahead are the commits that head has and base has not, sorted.
	Ahead []string
}

// Contained is true where the base has everything that the head has.
func (h History) Contained() bool { return len(h.Ahead) == 0 }

// Relate two commits. Parents says what a commit stems from. It goes by what commits name as
// their parents and never by their times, which anybody may make up.
func Relate(base, head string, parents func(string) ([]string, error)) (History, error) {
	behind, err := ancestors([]string{base}, nil, parents)
	if err != nil {
		return History{}, err
	}
	if behind[head] {
		return History{Bases: []string{head}}, nil
	}
	ahead, err := ancestors([]string{head}, behind, parents)
	if err != nil {
		return History{}, err
	}

	// Where the head's own commits touch what the base has, there they parted.
	var h History
	touched := map[string]bool{}
	for c := range ahead {
		h.Ahead = append(h.Ahead, c)
		ps, err := parents(c)
		if err != nil {
			return History{}, err
		}
		for _, p := range ps {
			if behind[p] {
				touched[p] = true
			}
		}
	}
	// What others among them stem from is not the latest.
	var older []string
	for c := range touched {
		ps, err := parents(c)
		if err != nil {
			return History{}, err
		}
		older = append(older, ps...)
	}
	covered := map[string]bool{}
	if len(touched) > 1 {
		if covered, err = ancestors(older, nil, parents); err != nil {
			return History{}, err
		}
	}
	for c := range touched {
		if !covered[c] {
			h.Bases = append(h.Bases, c)
		}
	}
	slices.Sort(h.Bases)
	slices.Sort(h.Ahead)
	return h, nil
}

// ancestors of commits, themselves included, without those in stop.
func ancestors(from []string, stop map[string]bool, parents func(string) ([]string, error)) (map[string]bool, error) {
	out := map[string]bool{}
	todo := slices.Clone(from)
	for len(todo) > 0 {
		c := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		if out[c] || stop[c] {
			continue
		}
		out[c] = true
		if len(out) > MaxCommits {
			return nil, fmt.Errorf("repository has more than %d commits, which is more than is read", MaxCommits)
		}
		ps, err := parents(c)
		if err != nil {
			return nil, err
		}
		todo = append(todo, ps...)
	}
	return out, nil
}
