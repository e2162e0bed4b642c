package change

import (
	"fmt"
	"strconv"
	"strings"
)

// Mark of a claim that a change wrote: its annotation mainstay.dev/change. The change is named
// <namespace>/<name>.
func Mark(name string, epoch int64) string { return fmt.Sprintf("%s.%d", name, epoch) }

// ReadMark says which change wrote a claim, and in which epoch. Neither where the annotation is none
// of ours.
func ReadMark(annotation string) (name string, epoch int64) {
	at := strings.LastIndexByte(annotation, '.')
	if at < 0 {
		return "", 0
	}
	epoch, err := strconv.ParseInt(annotation[at+1:], 10, 64)
	if err != nil || epoch <= 0 || strings.Count(annotation[:at], "/") != 1 {
		return "", 0
	}
	return annotation[:at], epoch
}

// Writer is the change that wrote a claim last, by its annotation. Empty where none did.
func Writer(annotation string) string {
	name, _ := ReadMark(annotation)
	return name
}
