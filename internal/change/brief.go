package change

import "strings"

// more marks that a text goes on elsewhere.
const more = " …"

// brief is a text in so many bytes at most. One that is longer ends with a sentence, or a part of one, where that
// leaves at least half of what fits, and else with a word.
func brief(s string, limit int) string {
	if len(s) <= limit {
		return s
	}
	s = cut(s, limit-len(more)+1)
	for at := len(s) - 2; at >= limit/2; at-- {
		if strings.IndexByte(".;:", s[at]) >= 0 && (s[at+1] == ' ' || s[at+1] == '\n') {
			return s[:at] + more
		}
	}
	if at := strings.LastIndexAny(s, " \n"); at >= limit/2 {
		return strings.TrimRight(s[:at], " \n,;:.(") + more
	}
	return cut(s, limit-len(more)) + more
}
