// Command covercheck fails where the tests reach too little of a room's code. It
// reads a profile that `go test -coverprofile` wrote, in which a block appears once
// for each test binary, and counts a block as reached where any of them reached it.
package main

import (
	"bufio"
	"flag"
	"fmt"
	"os"
	"path"
	"strconv"
	"strings"
)

func main() {
	profile := flag.String("profile", "", "coverage profile to read")
	floor := flag.Float64("floor", 85, "least percentage of statements reached")
	flag.Parse()
	if err := run(*profile, *floor, flag.Args()); err != nil {
		fmt.Fprintln(os.Stderr, "covercheck:", err)
		os.Exit(1)
	}
}

func run(profile string, floor float64, rooms []string) error {
	f, err := os.Open(profile)
	if err != nil {
		return fmt.Errorf("cannot open profile: %w", err)
	}
	defer f.Close() //nolint:errcheck // Opened for reading.

	blocks := map[string]block{}
	for s := bufio.NewScanner(f); s.Scan(); {
		id, b, ok := parse(s.Text())
		if !ok {
			continue
		}
		b.reached = b.reached || blocks[id].reached
		blocks[id] = b
	}

	low := []string{}
	for _, room := range rooms {
		total, reached := count(blocks, room)
		if total == 0 {
			return fmt.Errorf("profile has no statement of %s: was it tested?", room)
		}
		percent := 100 * float64(reached) / float64(total)
		fmt.Printf("coverage of %-10s %5.1f %% of %d statements\n", room+"/", percent, total)
		if percent < floor {
			low = append(low, room)
		}
	}
	if len(low) > 0 {
		return fmt.Errorf("coverage below %g %% in: %s", floor, strings.Join(low, ", "))
	}
	return nil
}

// A block is a run of statements without a branch.
type block struct {
	statements int
	reached    bool
}

// parse a line such as "module/file.go:1.2,3.4 5 1": place, statements, count.
func parse(line string) (string, block, bool) {
	fields := strings.Fields(line)
	if len(fields) != 3 {
		return "", block{}, false
	}
	n, err := strconv.Atoi(fields[1])
	if err != nil {
		return "", block{}, false
	}
	return fields[0], block{statements: n, reached: fields[2] != "0"}, true
}

// count the statements of a room. Commands' main functions and generated code
// decide nothing and are left out.
func count(blocks map[string]block, room string) (total, reached int) {
	for id, b := range blocks {
		file := id[:strings.LastIndex(id, ":")]
		if !strings.Contains(file, "/mainstay/"+room+"/") || path.Base(file) == "main.go" || strings.HasPrefix(path.Base(file), "zz_generated") {
			continue
		}
		total += b.statements
		if b.reached {
			reached += b.statements
		}
	}
	return total, reached
}
