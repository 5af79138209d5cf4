package wardflow

import (
	"strconv"
	"strings"
)

// Number reads a number from the parameters. It does what encoding/json could do too, without the 2.5 MB that reflection
// adds to a plugin. The host has parsed the JSON already, so it is valid; keys of inner objects are passed over.
func Number(json, key string) (float64, bool) {
	depth := 0
	for at := 0; at < len(json); at++ {
		switch json[at] {
		case '{', '[':
			depth++
		case '}', ']':
			depth--
		case '"':
			begin := at + 1
			for at = begin; at < len(json) && json[at] != '"'; at++ {
				if json[at] == '\\' {
					at++
				}
			}
			if at >= len(json) {
				return 0, false
			}
			name := json[begin:at]
			rest, isKey := strings.CutPrefix(strings.TrimLeft(json[at+1:], " \t\r\n"), ":")
			if !isKey || depth != 1 || name != key {
				continue
			}
			rest = strings.TrimLeft(rest, " \t\r\n")
			if end := strings.IndexAny(rest, ",} \t\r\n"); end >= 0 {
				rest = rest[:end]
			}
			number, err := strconv.ParseFloat(rest, 64)
			return number, err == nil
		}
	}
	return 0, false
}
