package index

import "testing"

func TestALabelNamesTheValueItIsAbout(t *testing.T) {
	for _, a := range []limitAlert{{Value: "value", Side: "above", Limit: 80}, {Value: "oil temp", Side: "below", Limit: -3.5}, {Value: "p", Side: "rate", Limit: 2}, {Value: "above", Side: "above", Limit: 1}} {
		if key, ok := LimitValue(a.label()); !ok || key != a.Value {
			t.Errorf("%+v: %q is about %q", a, a.label(), key)
		}
	}
	for _, label := range []string{"", "person", "person at gate", "above"} {
		if key, ok := LimitValue(label); ok {
			t.Errorf("%q is taken to be about %q", label, key)
		}
	}
}
