package request

import (
	"fmt"
	"testing"
)

func TestNamesSurviveTheirPathSegments(t *testing.T) {
	for _, name := range []string{"plain", ".", "..", "...", "a/b", "a%2Fb", "日本", "?x=1#y", " x "} {
		if s := Segment(name); s == "" || s == "." || s == ".." || fmt.Sprint(s)[0] == '/' {
			t.Errorf("%q becomes %q", name, s)
		}
	}
}
