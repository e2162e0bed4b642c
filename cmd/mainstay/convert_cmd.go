package main

import (
	"fmt"
	"io"
	"os"

	"github.com/mainstay-dev/mainstay/cmd/mainstay/convert"
)

type convertCmd struct {
	File []string `help:"Files to convert, or - for what is piped in." name:"file" required:"" short:"f"`
}

// Run converts applications.
func (c *convertCmd) Run() error {
	for i, file := range c.File {
		if i > 0 {
			fmt.Println("---")
		}
		if err := convertFile(file); err != nil {
			return fmt.Errorf("%s: %w", file, err)
		}
	}
	return nil
}

func convertFile(file string) error {
	var in io.Reader = os.Stdin
	if file != "-" {
		f, err := os.Open(file)
		if err != nil {
			return fmt.Errorf("cannot read application: %w", err)
		}
		defer f.Close() //nolint:errcheck // Opened for reading.
		in = f
	}
	return convert.Stream(in, os.Stdout, os.Stderr)
}
